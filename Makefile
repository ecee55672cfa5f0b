# Every goal sets itself up: it needs Python 3.11 or newer, and make. What it installs lies in .venv/, one folder for
# each Python; a stamp in there makes the second run quick, until pyproject.toml changes.

PYTHON ?= python3
SAY_VERSION := import sys; print("%d.%d" % sys.version_info[:2])

FOUND := $(shell $(PYTHON) tools/interpreters.py)
VERSIONS := $(foreach pair,$(FOUND),$(firstword $(subst =, ,$(pair))))
NEWEST := $(lastword $(VERSIONS))
# The Python that `python3` is, unless it is too old for us.
CURRENT := $(or $(filter $(shell $(PYTHON) -c '$(SAY_VERSION)'),$(VERSIONS)),$(NEWEST))
path_of = $(patsubst $1=%,%,$(filter $1=%,$(FOUND)))

OLDER := $(filter-out $(NEWEST),$(VERSIONS))
HERE := .venv/$(CURRENT)

# How many parts run beside one another: with more than there are processors, tests of time limits would be tests of
# luck. What a part says is shown when it has ended (macOS brings a make that cannot do so), and one that fails ends no other.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
APART := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
TOGETHER = $(MAKE) --no-print-directory --keep-going --jobs=$(JOBS) $(APART)
# Tests with engines are about time, so they have the right of way.
GIVING_WAY := nice -n 5
# A test that not even its time limit can stop, as it waits in C, ends its part, and shows where it was.
PYTEST := pytest -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true
BENCHMARKS := benchmarks/speed.py benchmarks/hit_ratios.py benchmarks/scale.py

ifeq ($(NEWEST),)
$(error No Python 3.11 or newer with venv found. On Debian and Ubuntu: apt-get install python3 python3-venv)
endif

.PHONY: help demo test check lint types conformance bench docs clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         run the example shop, examples/shop"
	@echo "make test         lint, types, and the tests on each of: $(VERSIONS) (coverage on $(NEWEST))"
	@echo "make check        lint, types, and the tests with coverage on $(CURRENT) only"
	@echo "make conformance  run the public HTTP cache tests (needs Node; SUITE=folder for a checkout of your own)"
	@echo "make bench        measure speed, hit ratios and scale against the peers"
	@echo "make docs         build the documentation into site/, strictly"
	@echo "make clean        remove all that the other goals made"

demo: $(HERE)/.core
	$(HERE)/bin/python -m examples.shop

# The tests with engines come first, as they take longest.
test: lint types
	@echo "Tests run now, $(JOBS) parts at a time. What a part says is shown when it has ended: the first in some minutes."
	$(TOGETHER) engines-$(NEWEST) $(patsubst %,test-%,$(OLDER)) cover-$(NEWEST)

check: lint types
	$(TOGETHER) engines-$(CURRENT) cover-$(CURRENT)

lint: $(HERE)/.lint
	$(HERE)/bin/python -m ruff check
	$(HERE)/bin/python -m ruff format --check

types: $(HERE)/.lint $(HERE)/.test
	$(HERE)/bin/python -m mypy
	$(HERE)/bin/python -m pyright --pythonpath $(HERE)/bin/python

# Engines are the same on each Python: all tests with servers run on the newest, and a few on the others.
test-%: .venv/%/.test
	$(GIVING_WAY) .venv/$*/bin/python -m $(PYTEST) -m "not servers or every_python"

cover-%: engines-% rest-%
	.venv/$*/bin/python -m coverage combine --quiet .coverage.$*.engines .coverage.$*.rest
	.venv/$*/bin/python -m coverage report

engines-%: .venv/%/.test
	COVERAGE_FILE=.coverage.$*.engines .venv/$*/bin/python -m coverage run -m $(PYTEST) -m servers

rest-%: .venv/%/.test
	COVERAGE_FILE=.coverage.$*.rest $(GIVING_WAY) .venv/$*/bin/python -m coverage run -m $(PYTEST) -m "not servers"

conformance: $(HERE)/.test
	$(HERE)/bin/python -m tools.conformance $(if $(SUITE),--suite $(SUITE))

bench: $(HERE)/.bench
	for script in $(BENCHMARKS); do $(HERE)/bin/python $$script || exit 1; done

docs: $(HERE)/.docs
	NO_MKDOCS_2_WARNING=1 $(HERE)/bin/python -m mkdocs build --strict --quiet

clean:
	rm -rf .venv .conformance site dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find asynccache tests examples benchmarks tools -name __pycache__ -prune -exec rm -rf {} +

# A stamp is what make would otherwise take for a by-product, and delete.
.PRECIOUS: .venv/%/.core .venv/%/.test .venv/%/.lint .venv/%/.bench .venv/%/.docs

# pip learned --group in 25.1.
.venv/%/.core: pyproject.toml
	$(call path_of,$*) -m venv --clear .venv/$*
	.venv/$*/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv/$*/bin/python -m pip install --quiet --editable '.[all]'
	touch $@

define stamp
.venv/%/.$1: .venv/%/.core
	.venv/$$*/bin/python -m pip install --quiet --group $1
	touch $$@
endef
$(foreach group,test lint bench docs,$(eval $(call stamp,$(group))))
