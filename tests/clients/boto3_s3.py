"""boto3 against the simulator's S3 API, as Runpod's documentation shows it. Raises at the first difference."""

import os
import tempfile
import urllib.request
from datetime import datetime, timezone

import boto3
import botocore.exceptions
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

VOLUME = os.environ["VOLUME"]
ENDPOINT = os.environ["RUNPOD_S3_ENDPOINT"].replace("{dc}", "eu-ro-1")


def client(**changes):
    return boto3.client(
        "s3", endpoint_url=changes.pop("endpoint", ENDPOINT), region_name=changes.pop("region", "EU-RO-1"),
        aws_access_key_id=changes.pop("access", os.environ["AWS_ACCESS_KEY_ID"]),
        aws_secret_access_key=changes.pop("secret", os.environ["AWS_SECRET_ACCESS_KEY"]),
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        got = error.response["Error"]["Code"]
        assert got == code, f"{call.__name__}: {got}, not {code}"
        return
    raise AssertionError(f"{call.__name__} was not refused")


s3 = client()
folder = tempfile.mkdtemp()

# volumes as buckets
assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == [VOLUME]
s3.head_bucket(Bucket=VOLUME)

# one file
s3.put_object(Bucket=VOLUME, Key="from-boto/hello.txt", Body=b"hello from boto3")
head = s3.head_object(Bucket=VOLUME, Key="from-boto/hello.txt")
assert head["ContentLength"] == 16 and abs((datetime.now(timezone.utc) - head["LastModified"]).total_seconds()) < 3600
got = s3.get_object(Bucket=VOLUME, Key="from-boto/hello.txt")["Body"].read()
assert got == b"hello from boto3", got
part = s3.get_object(Bucket=VOLUME, Key="from-boto/hello.txt", Range="bytes=6-9")
assert part["Body"].read() == b"from" and part["ResponseMetadata"]["HTTPStatusCode"] == 206
refused("InvalidRange", s3.get_object, Bucket=VOLUME, Key="from-boto/hello.txt", Range="bytes=99-")
refused("NoSuchKey", s3.get_object, Bucket=VOLUME, Key="nothing")
refused("404", s3.head_object, Bucket=VOLUME, Key="nothing")
s3.copy_object(Bucket=VOLUME, Key="from-boto/copy.txt", CopySource={"Bucket": VOLUME, "Key": "from-boto/hello.txt"})
assert s3.get_object(Bucket=VOLUME, Key="from-boto/copy.txt")["Body"].read() == b"hello from boto3"
odd = "from-boto/odd #1 ä&<b>/a+b =%41.txt"
s3.put_object(Bucket=VOLUME, Key=odd, Body=b"odd")
assert s3.get_object(Bucket=VOLUME, Key=odd)["Body"].read() == b"odd"

# a large file, in parts
path = os.path.join(folder, "parts.bin")
with open(path, "wb") as out:
    out.write(os.urandom(12_000_001))
s3.upload_file(path, VOLUME, "from-boto/parts.bin",
               Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
s3.download_file(VOLUME, "from-boto/parts.bin", path + ".got",
                 Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
with open(path, "rb") as a, open(path + ".got", "rb") as b:
    assert a.read() == b.read()
upload = s3.create_multipart_upload(Bucket=VOLUME, Key="half")["UploadId"]
s3.upload_part(Bucket=VOLUME, Key="half", UploadId=upload, PartNumber=1, Body=b"x")
assert [p["PartNumber"] for p in s3.list_parts(Bucket=VOLUME, Key="half", UploadId=upload)["Parts"]] == [1]
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=VOLUME)["Uploads"]] == [upload]
s3.abort_multipart_upload(Bucket=VOLUME, Key="half", UploadId=upload)
refused("NoSuchUpload", s3.list_parts, Bucket=VOLUME, Key="half", UploadId=upload)

# lists: by level they page as they should, recursively the token repeats
for i in range(17):
    s3.put_object(Bucket=VOLUME, Key=f"many/f{i:02}", Body=b"")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=VOLUME, Prefix="many/", Delimiter="/")
keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
assert keys == ["many/"] + [f"many/f{i:02}" for i in range(17)], keys
root = s3.list_objects_v2(Bucket=VOLUME, Delimiter="/")
assert [p["Prefix"] for p in root["CommonPrefixes"]] == ["from-boto/", "many/"], root
assert s3.list_objects(Bucket=VOLUME, Prefix="many/f1", Delimiter="/")["IsTruncated"] is True
try:
    list(s3.get_paginator("list_objects_v2").paginate(Bucket=VOLUME))
except botocore.exceptions.PaginationError as error:
    assert "same next token was received twice" in str(error)
else:
    raise AssertionError("a recursive list came to its end")

# removal: one by one, what is gone is fine, a batch is a redirect that leads nowhere
for i in range(17):
    s3.delete_object(Bucket=VOLUME, Key=f"many/f{i:02}")
s3.delete_object(Bucket=VOLUME, Key="many/f00")
s3.delete_object(Bucket=VOLUME, Key="many/")
assert [p["Prefix"] for p in s3.list_objects_v2(Bucket=VOLUME, Delimiter="/")["CommonPrefixes"]] == ["from-boto/"]
try:
    s3.delete_objects(Bucket=VOLUME, Delete={"Objects": [{"Key": "from-boto/copy.txt"}]})
except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
    pass
assert s3.head_object(Bucket=VOLUME, Key="from-boto/copy.txt")["ContentLength"] == 16

# what there is not
refused("NotImplemented", s3.get_bucket_location, Bucket=VOLUME)
refused("NotImplemented", s3.get_object_tagging, Bucket=VOLUME, Key="from-boto/hello.txt")
refused("NoSuchBucket", s3.list_objects_v2, Bucket="nothing")
url = s3.generate_presigned_url("get_object", Params={"Bucket": VOLUME, "Key": "from-boto/hello.txt"})
try:
    urllib.request.urlopen(url)
except urllib.error.HTTPError as error:
    assert error.code == 403
else:
    raise AssertionError("a pre-signed address was taken")

# keys and regions
refused("SignatureDoesNotMatch", client(secret="rps_wrong").list_objects_v2, Bucket=VOLUME)
refused("InvalidAccessKeyId", client(access="user_other").list_objects_v2, Bucket=VOLUME)
refused("AuthorizationHeaderMalformed", client(region="US-KS-2").list_objects_v2, Bucket=VOLUME)
other = client(endpoint=os.environ["RUNPOD_S3_ENDPOINT"].replace("{dc}", "us-ks-2"), region="US-KS-2")
refused("NoSuchBucket", other.list_objects_v2, Bucket=VOLUME)

print("all calls done")
