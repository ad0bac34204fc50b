# A ping for each webhook that has a name; webhooks that share one share it.
[$webhooks[].attributes.name] - [null, ""] | unique[]
| { name: "ping", payload: { name: . } }
