"""The words of HTTP: messages, fields, dates, ranges, URIs, and the smaller rules that they bring along. Pure."""
