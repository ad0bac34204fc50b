#!/usr/bin/env bats
# hook-admin events --asyncapi: the official parser takes the document, and what
# it says of bodies and signatures holds for those that the programs write.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PARSER=3.6.3
	NPM=$REPO/.build/npm-$PARSER
}

# A catalog with references of all kinds, and rules that hang on members which
# bodies lack.
hard_catalog() {
	mkdir -p catalog
	export EV_CATALOG=catalog
	cat >catalog/customer.schema.json <<-'END'
	{ "$id": "https://example.com/schemas/customer",
	  "$schema": "https://json-schema.org/draft/2020-12/schema",
	  "type": "object",
	  "properties": { "name": { "$ref": "#/$defs/name" },
	    "tenant": { "type": "string" },
	    "address": { "$ref": "address.schema.json#street" },
	    "friends": { "type": "array", "items": { "$ref": "#" } } },
	  "required": ["name", "tenant"], "additionalProperties": false,
	  "$defs": { "name": { "$id": "names/first", "type": "string",
	    "minLength": 1, "$ref": "#long", "$defs": { "x y": {
	      "$anchor": "long", "maxLength": 5 } } } } }
	END
	cat >catalog/address.schema.json <<-'END'
	{ "$id": "https://example.com/schemas/address.schema.json",
	  "$defs": { "s": { "$anchor": "street", "type": "object",
	    "properties": { "name": { "$ref": "customer#/$defs/name" } },
	    "patternProperties": { "^tenant": { "type": "integer" } },
	    "required": ["name"] } } }
	END
	# The payload is another schema, by reference.
	cat >catalog/new.json <<-'END'
	{ "name": "customer:new", "public": true, "required_attributes": ["tenant"],
	  "description": "A \"new\" customer", "deprecated": true,
	  "payload": { "$ref": "https://example.com/schemas/customer" },
	  "examples": [
	    { "name": "customer:new", "payload": { "tenant": "t", "name": "A",
	      "address": { "name": "B", "tenant2": 1.0 },
	      "friends": [ { "name": "C", "tenant": "u" } ] } },
	    { "name": "customer:new", "payload": { "name": "é\u00e9\ud83d\ude42", "tenant": "\"" } } ] }
	END
	cat >catalog/hard.json <<-'END'
	{ "name": "customer.new", "public": true,
	  "required_attributes": ["a", "b\"c"],
	  "payload": { "$defs": { "only": { "required": ["a"] },
	      "node": { "$dynamicAnchor": "node", "type": "object",
	        "properties": { "next": { "$dynamicRef": "#node" } } } },
	    "allOf": [ { "$ref": "#/$defs/only" },
	      { "properties": { "tree": { "$ref": "#/$defs/node" } } } ],
	    "anyOf": [ { "required": ["b\"c"] }, { "required": ["none"] } ],
	    "oneOf": [ { "required": ["a"] }, { "required": ["never"] } ],
	    "not": { "properties": { "a": { "const": "bad" } } },
	    "if": { "required": ["a"] }, "then": { "required": ["z"] }, "else": false,
	    "minProperties": 3,
	    "dependentRequired": { "z": ["a"] },
	    "dependentSchemas": { "a": { "required": ["z"] },
	      "z": { "required": ["a", "z"] } },
	    "properties": { "a": true, "b\"c": true, "z": { "minimum": 3 } },
	    "required": ["a", "z"],
	    "unevaluatedProperties": { "enum": ["a", "$ref"] },
	    "x-note": { "required": ["a"] } },
	  "examples": [ { "name": "customer.new",
	    "payload": { "a": "A", "b\"c": "B", "z": 3,
	      "tree": { "next": { "next": {} } } } } ] }
	END
	# Rules that hang on members without naming them, and one that does not.
	cat >catalog/union.json <<-'END'
	{ "name": "union", "public": true, "required_attributes": ["a"],
	  "payload": { "oneOf": [ { "$ref": "#/$defs/card" }, { "$ref": "#/$defs/sepa" } ],
	    "allOf": [ { "not": { "maxProperties": 2 } },
	      { "if": { "required": ["a"] },
	        "then": { "properties": { "extra": { "type": "integer" } } } } ],
	    "properties": { "a": true }, "unevaluatedProperties": false,
	    "$defs": {
	      "card": { "properties": { "kind": { "const": "card" } }, "required": ["kind"] },
	      "sepa": { "properties": { "kind": { "const": "sepa" } }, "required": ["kind"] } } },
	  "examples": [ { "name": "union",
	    "payload": { "a": "A", "kind": "card", "extra": 1 } } ] }
	END
	cat >catalog/plain.json <<-'END'
	{ "name": "pläin 1", "public": true, "payload": true,
	  "examples": [ { "name": "pläin 1" },
	    { "name": "pläin 1", "payload": { "any": [1e400, -0.0] } } ] }
	END
	cat >catalog/secret.json <<-'END'
	{ "name": "inner:event", "public": false, "payload": true, "map": "m.jq",
	  "description": "nobody else's business" }
	END
	echo empty >catalog/m.jq
	run_prog hook-admin check
	want_code 0
}

# The official parser, or the reason why it is not tried.
parser() {
	command -v node >/dev/null || skip "no node here"
	command -v npm >/dev/null || skip "no npm here"
	[ -d "$NPM/node_modules/@asyncapi/parser" ] ||
		timeout 180 npm install --prefix "$NPM" --ignore-scripts \
			--no-audit --no-fund --no-save --loglevel error \
			"@asyncapi/parser@$PARSER" >npm.log 2>&1 3>&- 4>&- ||
		skip "npm does not get @asyncapi/parser: $(tail -n 1 npm.log)"
}

judge() { # FILE: what the parser found in it to the file found
	NODE_PATH=$NPM/node_modules node "$REPO/tests/helpers/asyncapi.js" "$1" \
		>found 2>&1 3>&- 4>&-
}

# schema_of NAME: the schema of the event's body, by itself.
schema_of() {
	jq --arg name "$1" '. as $doc |
		.components.messages[] | select(.name == $name) |
		.payload | select(.schemaFormat ==
			"application/schema+json;version=draft-2020-12") | .schema |
		.["$defs"] = ($doc.components.schemas | map_values(.schema)) |
		walk(if type == "object" and (.["$ref"] | type) == "string" then
			.["$ref"] |= sub("^#/components/schemas/(?<n>[^/]*)/schema$";
				"#/$defs/\(.n)")
			else . end)' doc.json
}

# valid NAME: there are bodies on stdin, and they are good by the document.
valid() {
	schema_of "$1" >schema.json
	run_prog ev-validate --schema schema.json
	want_code 0
	[ -s "$OUT" ]
	[ ! -s "$ERR" ]
}

@test "the official parser takes the default catalog's document" {
	parser
	hook-admin events --asyncapi >doc.json
	judge doc.json
	local headers=webhook-id,webhook-timestamp,webhook-signature,traceparent
	local rest="application/json httpApiKey $headers application/schema+json;version=draft-2020-12"
	printf 'send %s\n' "ping $rest" "service:subscribed $rest" | same - found
	# It is a judge: a document with a fault does not pass.
	jq '.operations[].action = "shout"' doc.json >bad.json
	if judge bad.json; then false; fi
	sed 's|/messageTraits/request|/messageTraits/none|' doc.json >bad.json
	if judge bad.json; then false; fi
}

@test "the official parser takes a catalog's whose schemas refer to each other" {
	parser
	hard_catalog
	hook-admin events --asyncapi >doc.json
	judge doc.json || {
		cat found >&2
		return 1
	}
	cut -d' ' -f1,2 found >names
	printf 'send %s\n' customer.new customer:new pläin union | same - names
}

@test "the document: public events only, unique keys, no reference leaves it" {
	hard_catalog
	run_prog hook-admin events --asyncapi
	want_code 0
	[ ! -s "$ERR" ]
	cp "$OUT" doc.json
	hook-admin events --asyncapi | cmp - doc.json
	jq -e '.asyncapi == "3.0.0" and (has("servers") | not) and
		(.channels | keys) == ["customer.new", "customer.new-2", "pl..in.1", "union"] and
		([.channels[].address] | unique) == [null] and
		[.components.messages[].name] ==
			["customer.new", "customer:new", "pläin 1", "union"] and
		[.operations[].action] == ["send", "send", "send", "send"] and
		.components.messages["customer.new-2"]["x-required-attributes"] ==
			["tenant"] and
		(.components.messages["customer.new-2"].description |
			startswith("**Deprecated.** A \"new\""))' doc.json
	jq -e '. as $doc | [.. | objects | .["$ref"] | strings] |
		length > 10 and all(. as $ref | ($ref | startswith("#/")) and
			($doc | getpath($ref[2:] / "/") != null))' doc.json
	# What would change the meaning of references is gone; notes stay.
	jq -e '[.. | objects | keys[] | select(test("^\\$(id|anchor|defs|schema)"))]
		== []' doc.json
	jq -e '[.. | objects | .["x-note"] // empty] == [{required: ["a"]}]' doc.json
	if grep -q 'inner:event\|business' doc.json; then false; fi
	# Another catalog has another version.
	jq -r .info.version doc.json >version
	sed -i 's/"A /"The /' catalog/new.json
	[ "$(hook-admin events --asyncapi | jq -r .info.version)" != \
		"$(<version)" ]
	run_prog hook-admin events --asyncapi --markdown
	want_code 2
}

@test "bodies that ev-route writes are valid by the document" {
	hard_catalog
	hook-admin events --asyncapi >doc.json
	jq -n '[{ id: "w", url: "http://a.example/",
		subscriptions: ["*"],
		attributes: { tenant: "t", a: "A", "b\"c": "B" } }]' >w.json
	cat catalog/{new,hard,plain,union}.json | jq -c '.examples[]' |
		jq -c 'if .payload.tenant == "\"" then .payload.tenant = "t"
			else . end' | ev-validate | ev-route -w w.json |
		jq -c .body >bodies
	[ "$(wc -l <bodies)" -eq 6 ]
	for name in customer:new customer.new 'pläin 1' union; do
		jq -c --arg name "$name" 'select(.name == $name)' bodies |
			valid "$name"
	done
	# And what is wrong is not: nested members are whole, names are checked.
	schema_of customer:new >schema.json
	grep friends bodies | jq -c '
		(.payload.friends[0].tenant |= 1, .payload.name |= "too long",
		 del(.payload.name), .payload.tenant2 |= 1, .name |= "x",
		 del(.payload.friends[0].tenant), .payload.address.tenant |= "1",
		 .payload.friends |= [.])' >wrong
	run_prog ev-validate --schema schema.json wrong
	want_code 1
	[ ! -s "$OUT" ]
	schema_of customer.new >schema.json
	printf '{"name":"customer.new","payload":%s}\n' '{}' '{"z":2}' \
		'{"z":3,"tree":{"next":{"next":1}}}' >wrong
	run_prog ev-validate --schema schema.json wrong
	want_code 1
	[ ! -s "$OUT" ]
	schema_of union >schema.json
	printf '{"name":"union","payload":%s}\n' '{}' '{"kind":"cash"}' >wrong
	run_prog ev-validate --schema schema.json wrong
	want_code 1
	[ ! -s "$OUT" ]
}

@test "the default catalog's bodies, too" {
	hook-admin events --asyncapi >doc.json
	export EV_WEBHOOKS=$REPO/examples/webhooks.json REJECTS=rejects
	cat "$REPO"/examples/events/*.ndjson | pipeline "$EV_WEBHOOKS" >calls ||
		[ $? -eq 1 ]
	for name in ping service:subscribed; do
		jq -c --arg name "$name" '.body | select(.name == $name)' calls |
			valid "$name"
	done
}

@test "the examples are bodies, and signed as it says" {
	local key
	hard_catalog
	hook-admin events --asyncapi >doc.json
	jq -e '[.components.messages[].examples | length] == [1, 2, 2, 1]' doc.json
	for name in customer:new customer.new 'pläin 1' union; do
		jq -c --arg name "$name" '.components.messages[] |
			select(.name == $name).examples[].payload' doc.json |
			valid "$name"
	done
	key=$(printf MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | od -An -tx1 |
		tr -d ' \n')
	# Those that jq writes as they were read.
	jq -r '.components.messages[].examples[] |
		select(.payload | tostring | test("any|customer:new") | not) |
		.headers["webhook-id"] + "." + .headers["webhook-timestamp"] + "." +
		(.payload | tojson) + "\t" + .headers["webhook-signature"]' \
		doc.json >signed
	[ "$(wc -l <signed)" -eq 3 ]
	while IFS=$'\t' read -r text signature; do
		[ "v1,$(printf %s "$text" | openssl dgst -sha256 -mac HMAC \
			-macopt "hexkey:$key" -binary | base64)" = "$signature" ]
	done <signed
}
