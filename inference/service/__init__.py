"""Service: ads, attributes and descriptions over HTTP, one request at a time, and the ad studio page."""
