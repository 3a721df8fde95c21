"""Before a request is sent: what a schema cannot say is made true of it, and most ids become those of keys that exist."""

import os
import re

import schemathesis

KEY_IDS = os.environ["KEY_IDS"].split(",")
# These are never revoked, and so never deleted.
KEPT = KEY_IDS[:5]
CHANGED = KEY_IDS[5:]
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
DAY = re.compile(r"^\d{4}-\d\d-\d\d$")


def one_of(key_ids, key_id):
    return key_ids[int(key_id[:8], 16) % len(key_ids)]


def matches(pattern, value):
    return isinstance(value, str) and pattern.match(value) is not None


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.path_parameters or {}
    if matches(UUID, path.get("id")) and int(path["id"][:8], 16) % 4:
        path["id"] = one_of(CHANGED, path["id"])
    query = case.query or {}
    first, last = query.get("from"), query.get("to")
    if matches(DAY, first) and matches(DAY, last) and first > last:
        query["from"], query["to"] = last, first
    groups = query.get("group_by")
    if isinstance(groups, str) and "," in groups and len(set(groups.split(","))) == 1:
        query["group_by"] = groups.split(",")[0]
    # The list goes on behind a key: there must be one.
    if matches(UUID, query.get("after")):
        query["after"] = one_of(KEPT, query["after"])
