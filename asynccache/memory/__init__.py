"""The tier in this process: entries, who hears of them, and the loads into them."""
