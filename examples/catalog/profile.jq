# A Citizen whose mode is AUTO is subscribed to every service that a webhook
# stands for; webhooks that share a service share the event.
select(.payload.servicePreferencesMode == "AUTO")
| .payload.fiscalCode as $fiscalCode
| [$webhooks[].attributes.serviceId] - [null, ""] | unique[]
| { name: "service:subscribed", payload: { serviceId: ., fiscalCode: $fiscalCode } }
