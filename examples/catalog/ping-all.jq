# A ping for each webhook that has a name; webhooks that share one share it.
$webhooks | map(.attributes.name // "" | select(. != "")) | unique[]
| { name: "ping", payload: { name: . } }
