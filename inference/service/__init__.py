"""Service: ads, attributes and descriptions over HTTP, one request at a time, the ad studio and the pages of a home."""
