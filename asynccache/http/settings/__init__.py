"""What an owner can say: policies, rules for some URLs, directives for some requests, and how each is read."""
