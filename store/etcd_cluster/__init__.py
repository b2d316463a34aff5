"""The store on a real etcd cluster, over its v3 API: the engine that Kubernetes itself uses, for who outgrows one process or machine.

messages.py     the part of etcd's API that is used, as data
address.py      members, TLS, users
connection.py   calls that find a member that answers
feed.py         the one watch from which everything live comes
past.py         events of the past, and how far back they go
owner.py        one process at a time
store.py        the contract of store.etcd.Etcd
"""
