"""Messages of etcd's v3 API, made at import from a table of their fields: name, number, type (`*` before it: repeated).

Names and numbers are those of etcd's rpc.proto and kv.proto (etcd 3.4 to 3.6); fields that nothing here reads or sets are left out, and
protobuf passes over them. A field after `|` is one of a choice.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_FIELDS: dict[str, str] = {
    "KeyValue": "key 1 bytes, create_revision 2 int64, mod_revision 3 int64, version 4 int64, value 5 bytes, lease 6 int64",
    "Event": "type 1 int32, kv 2 KeyValue, prev_kv 3 KeyValue",
    "ResponseHeader": "cluster_id 1 uint64, member_id 2 uint64, revision 3 int64, raft_term 4 uint64",
    "RangeRequest": "key 1 bytes, range_end 2 bytes, limit 3 int64, revision 4 int64, keys_only 8 bool, count_only 9 bool",
    "RangeResponse": "header 1 ResponseHeader, kvs 2 *KeyValue, more 3 bool, count 4 int64",
    "PutRequest": "key 1 bytes, value 2 bytes, lease 3 int64",
    "PutResponse": "header 1 ResponseHeader",
    "DeleteRangeRequest": "key 1 bytes, range_end 2 bytes, prev_kv 3 bool",
    "DeleteRangeResponse": "header 1 ResponseHeader, deleted 2 int64, prev_kvs 3 *KeyValue",
    "RequestOp": "|request_range 1 RangeRequest, |request_put 2 PutRequest, |request_delete_range 3 DeleteRangeRequest",
    "ResponseOp": "|response_range 1 RangeResponse, |response_put 2 PutResponse, |response_delete_range 3 DeleteRangeResponse",
    "Compare": "result 1 int32, target 2 int32, key 3 bytes, |version 4 int64, |create_revision 5 int64, |mod_revision 6 int64",
    "TxnRequest": "compare 1 *Compare, success 2 *RequestOp, failure 3 *RequestOp",
    "TxnResponse": "header 1 ResponseHeader, succeeded 2 bool, responses 3 *ResponseOp",
    "CompactionRequest": "revision 1 int64, physical 2 bool",
    "CompactionResponse": "header 1 ResponseHeader",
    "WatchCreateRequest": "key 1 bytes, range_end 2 bytes, start_revision 3 int64, progress_notify 4 bool, prev_kv 6 bool, fragment 8 bool",
    "WatchRequest": "|create_request 1 WatchCreateRequest",
    "WatchResponse": "header 1 ResponseHeader, watch_id 2 int64, created 3 bool, canceled 4 bool, compact_revision 5 int64,"
    " cancel_reason 6 string, fragment 7 bool, events 11 *Event",
    "LeaseGrantRequest": "TTL 1 int64, ID 2 int64",
    "LeaseGrantResponse": "header 1 ResponseHeader, ID 2 int64, TTL 3 int64, error 4 string",
    "LeaseRevokeRequest": "ID 1 int64",
    "LeaseRevokeResponse": "header 1 ResponseHeader",
    "LeaseKeepAliveRequest": "ID 1 int64",
    "LeaseKeepAliveResponse": "header 1 ResponseHeader, ID 2 int64, TTL 3 int64",
    "LeaseTimeToLiveRequest": "ID 1 int64",
    "LeaseTimeToLiveResponse": "header 1 ResponseHeader, ID 2 int64, TTL 3 int64",
    "StatusRequest": "",
    "StatusResponse": "header 1 ResponseHeader, version 2 string, dbSize 3 int64, leader 4 uint64, errors 8 *string",
    "AuthenticateRequest": "name 1 string, password 2 string",
    "AuthenticateResponse": "header 1 ResponseHeader, token 2 string",
}
_PACKAGE = "kctl.etcd"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "bool": _Field.TYPE_BOOL,
}

PUT, DELETE = 0, 1
"""Types of an Event."""
EQUAL, GREATER = 0, 1
"""Results of a Compare."""
CREATE, MOD = 1, 2
"""Targets of a Compare: the revision a key was created at, and the one it was changed at last; 0 where there is none."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="kctl/etcd.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for text in filter(None, fields.split(", ")):
            called, number, kind = text.split()
            field = message.field.add(name=called.removeprefix("|"), number=int(number), label=_Field.LABEL_OPTIONAL)
            if kind.startswith("*"):
                field.label = _Field.LABEL_REPEATED
            kind = kind.removeprefix("*")
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            if called.startswith("|"):
                if not message.oneof_decl:
                    message.oneof_decl.add(name="choice")
                field.oneof_index = 0
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def message(name: str) -> Any:
    """The class of the message `name`."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


KeyValue, Event = message("KeyValue"), message("Event")
RangeRequest, RangeResponse = message("RangeRequest"), message("RangeResponse")
PutRequest, DeleteRangeRequest = message("PutRequest"), message("DeleteRangeRequest")
RequestOp, Compare = message("RequestOp"), message("Compare")
TxnRequest, TxnResponse = message("TxnRequest"), message("TxnResponse")
CompactionRequest, CompactionResponse = message("CompactionRequest"), message("CompactionResponse")
WatchRequest, WatchCreateRequest, WatchResponse = message("WatchRequest"), message("WatchCreateRequest"), message("WatchResponse")
LeaseGrantRequest, LeaseGrantResponse = message("LeaseGrantRequest"), message("LeaseGrantResponse")
LeaseRevokeRequest, LeaseRevokeResponse = message("LeaseRevokeRequest"), message("LeaseRevokeResponse")
LeaseKeepAliveRequest, LeaseKeepAliveResponse = message("LeaseKeepAliveRequest"), message("LeaseKeepAliveResponse")
LeaseTimeToLiveRequest, LeaseTimeToLiveResponse = message("LeaseTimeToLiveRequest"), message("LeaseTimeToLiveResponse")
StatusRequest, StatusResponse = message("StatusRequest"), message("StatusResponse")
AuthenticateRequest, AuthenticateResponse = message("AuthenticateRequest"), message("AuthenticateResponse")
