"""The code of the request API's function: one file, deployed as it is, with nothing but boto3 beside it."""
