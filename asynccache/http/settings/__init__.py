"""What an owner can say: options, policies, rules for some URLs, directives for some requests."""
