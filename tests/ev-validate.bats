#!/usr/bin/env bats
# ev-validate as a schema tool: other documents, all faults, formats, big
# catalogs, hostile schemas. What a schema means is unit/schema_suite's.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "--ref DIR: schemas find each other by \$id and by file name" {
	mkdir -p refs/more
	echo '{"$id":"https://example.com/money","type":"object",
	      "properties":{"currency":{"$ref":"currency.json"}}}' >refs/money.json
	echo '{"$id":"https://example.com/currency.json","enum":["EUR"]}' \
		>refs/more/any-name.json
	echo '{"type":"integer"}' >refs/more/count.json
	echo '{"properties":{"price":{"$ref":"https://example.com/money"},
	      "count":{"$ref":"refs/more/count.json"}}}' >schema.json
	printf '%s\n' '{"price":{"currency":"EUR"},"count":2}' \
		'{"price":{"currency":"LIT"}}' '{"count":2.5}' >in
	run_prog ev-validate --schema schema.json --ref refs in
	want_code 1
	head -n 1 in | same - "$OUT"
	grep -qF "/price/currency is not one of the values allowed (enum [\"EUR\"], schema at 'file://$PWD/refs/more/any-name.json#/enum')" "$ERR"
	grep -qF "line 3: invalid: /count has the wrong type (type \"integer\"" "$ERR"
}

@test "--ref DIR: however its path is spelled, and with the schema itself in it" {
	mkdir refs
	echo '{"type":"integer"}' >'refs/a count.json'
	echo '{"$id":"https://example.com/main","$ref":"#/$defs/c","$defs":{"c":
	      {"$ref":"https://example.com/count"}}}' >refs/main.json
	echo '{"$id":"https://example.com/count","$ref":"#c","$defs":{"c":
	      {"$anchor":"c","$ref":"file://'"$PWD"'/refs/a%20count.json"}}}' \
		>refs/count.json
	echo '{"$ref":"a%20count.json"}' >refs/plain.json
	# Links that lead back up, and the same file once more.
	ln -s . refs/here
	ln -s ../refs refs/there
	local s d
	for s in refs/main.json ./refs/main.json refs/../refs//plain.json; do
		for d in refs refs/ ./refs "$PWD//refs"; do
			run_prog ev-validate --schema "$s" --ref "$d" <<<1
			want_code 0
			run_prog ev-validate --schema "$s" --ref "$d" <<<1.5
			want_code 1
		done
	done
	cd refs || return 1
	run_prog ev-validate --schema plain.json --ref . <<<1
	want_code 0
	run_prog ev-validate --schema ../refs/main.json --ref . --ref .. <<<1
	want_code 0
}

@test "--ref URI=DIR: a directory stands for a place on the web" {
	mkdir web
	echo '{"type":"string"}' >web/text.json
	echo '{"$ref":"https://example.com/v1/text.json"}' >schema.json
	run_prog ev-validate --schema schema.json \
		--ref https://example.com/v1/=web <<<'"a"'
	want_code 0
	run_prog ev-validate --schema schema.json \
		--ref https://example.com/v1/=web <<<1
	want_code 1
	# A slash behind it is not asked for; a name is escaped.
	mkdir web/v2
	echo '{"type":"null"}' >'web/v2/ü .json'
	echo '{"$ref":"https://example.com/v2/%C3%BC%20.json"}' >schema.json
	run_prog ev-validate --schema schema.json \
		--ref https://example.com=web <<<null
	want_code 0
	echo '{"$ref":"urn:example:text.json"}' >schema.json
	run_prog ev-validate --schema schema.json --ref urn:example:=web <<<'""'
	want_code 0
}

@test "a reference that leads nowhere, or to two places, does not load" {
	mkdir refs
	echo '{"$ref":"https://example.com/x"}' >schema.json
	echo '{"$id":"https://example.com/y"}' >refs/y.json
	run_prog ev-validate --schema schema.json --ref refs </dev/null
	want_code 2
	grep -qF "schema at '/\$ref': there is no schema 'https://example.com/x' in the catalog or the --ref directories" "$ERR"
	echo '{"$id":"https://example.com/x"}' >refs/x1.json
	echo '{"$id":"https://example.com/x","type":"null"}' >refs/x2.json
	run_prog ev-validate --schema schema.json --ref refs </dev/null
	want_code 2
	grep -qF "two schemas are called 'https://example.com/x'" "$ERR"
	echo '{' >refs/x1.json
	run_prog ev-validate --schema schema.json --ref refs </dev/null
	want_code 2
	grep -qF "refs/x1.json: not JSON:" "$ERR"
}

@test "--all names every fault, on lines of its own and in the record" {
	echo '{"properties":{"a":{"type":"string","minLength":2},"b":false},
	      "required":["c","d"]}' >schema.json
	echo '{"a":"x","b":1}' >in
	run_prog ev-validate --all -r rejects --schema schema.json in
	want_code 1
	[ "$(wc -l <"$ERR")" -eq 4 ]
	[ "$(jq -c '[.faults[] | [.keyword, .instanceLocation, .schemaLocation,
		.expected]]' rejects)" = '[["minLength","/a","/properties/a/minLength",2],["false","/b","/properties/b",null],["required","","/required","c"],["required","","/required","d"]]' ]
	[ "$(jq '.error | split("\n") | length' rejects)" -eq 4 ]
	# One by default.
	rm rejects
	run_prog ev-validate -r rejects --schema schema.json in
	[ "$(wc -l <"$ERR")" -eq 1 ]
	[ "$(jq -c '[.faults[].keyword]' rejects)" = '["minLength"]' ]
}

@test "a fault is one line, whatever a member is called" {
	echo '{"additionalProperties":{"type":"null"}}' >schema.json
	printf '%s\n' '{"a\nev-validate: line 9: \u001b[2J":1}' >in
	run_prog ev-validate --all -r rejects --schema schema.json in
	want_code 1
	[ "$(wc -l <"$ERR")" -eq 1 ]
	grep -qF '/a\x0aev-validate: line 9: \x1b[2J has the wrong type' "$ERR"
	[ "$(jq '.error | split("\n") | length' rejects)" -eq 1 ]
	[ "$(jq '.faults[0].instanceLocation' rejects)" = '"/a\nev-validate: line 9: \u001b[2J"' ]
}

@test "values of the instance are shown with -v alone" {
	echo '{"properties":{"code":{"pattern":"^[a-z]+$"}}}' >schema.json
	echo '{"code":"SECRET-1"}' >in
	run_prog ev-validate --schema schema.json -r rejects in
	want_code 1
	[ "$(grep -c SECRET "$ERR")" -eq 0 ]
	[ "$(jq -r '.error, (.faults | tostring)' rejects | grep -c SECRET)" -eq 0 ]
	run_prog ev-validate -v --schema schema.json -r rejects in
	grep -qF 'found "SECRET-1"' "$ERR"
	[ "$(tail -n 1 rejects | jq -r '.faults[0].found')" = SECRET-1 ]
}

@test "format checks with --format, and annotates without" {
	echo '{"format":"date-time"}' >schema.json
	run_prog ev-validate --schema schema.json <<<'"yesterday"'
	want_code 0
	run_prog ev-validate --format --schema schema.json <<<'"yesterday"'
	want_code 1
	grep -qF 'does not have the format (format "date-time"' "$ERR"
	run_prog ev-validate --format --schema schema.json \
		<<<'"2026-11-23T10:00:00Z"'
	want_code 0
}

@test "a catalog's events share schemas of the same directory" {
	mkdir catalog
	echo '{"$id":"https://example.com/person","type":"object",
	      "required":["name"]}' >catalog/person.schema.json
	echo '{"name":"born","public":true,"payload":
	      {"$ref":"https://example.com/person"}}' >catalog/born.json
	echo '{"name":"wed","public":true,"payload":{"type":"array","items":
	      {"$ref":"person.schema.json"}}}' >catalog/wed.json
	printf '%s\n' '{"name":"born","payload":{"name":"a"}}' \
		'{"name":"wed","payload":[{"name":"a"},{"name":"b"}]}' \
		'{"name":"wed","payload":[{"name":"a"},{}]}' >in
	run_prog ev-validate -c catalog in
	want_code 1
	head -n 2 in | same - "$OUT"
	grep -qF "line 3: invalid-payload: /payload/1 lacks the member 'name'" "$ERR"
}

@test "a schema that its metaschema refuses is named with its place" {
	mkdir catalog
	echo '{"name":"a","public":true,"payload":{"properties":
	      {"x":{"type":"strnig"}}}}' >catalog/a.json
	echo '{"name":"b","public":true,"payload":{"required":"x"}}' \
		>catalog/b.json
	run_prog ev-validate -c catalog </dev/null
	want_code 2
	grep -qF "a.json: payload: schema at '/properties/x/type': is not one of the values allowed" "$ERR"
	grep -qF "b.json: payload: schema at '/required': has the wrong type (type \"array\")" "$ERR"
}

@test "a catalog of 1,000 events works as one of five" {
	mkdir catalog
	local i
	for i in $(seq 1000); do
		echo "{\"name\":\"e$i\",\"public\":true,\"payload\":{\"type\":\"object\",\"properties\":{\"n\":{\"const\":$i}}}}" \
			>"catalog/e$i.json"
	done
	for i in $(seq 1000); do
		echo "{\"name\":\"e$i\",\"payload\":{\"n\":$i}}"
	done >in
	run_prog ev-validate -c catalog in
	want_code 0
	same in "$OUT"
	sed 's/}}$/0}}/' in >bad
	run_prog ev-validate -c catalog bad
	want_code 1
	[ "$(grep -c invalid-payload "$ERR")" -eq 1000 ]
}

@test "numbers are compared as they are written" {
	echo '{"enum":[9007199254740993,1e400],"multipleOf":1}' >schema.json
	printf '%s\n' 9007199254740993 9007199254740993.000 10e399 >good
	printf '%s\n' 9007199254740992 9007199254740994 1e401 >bad
	run_prog ev-validate --schema schema.json good
	want_code 0
	same good "$OUT"
	run_prog ev-validate --schema schema.json bad
	want_code 1
	[ ! -s "$OUT" ]
}

@test "neither a pattern nor a schema can stall the stream" {
	echo '{"properties":{"a":{"pattern":"^(a+)+$"}},
	      "anyOf":[{"$ref":"#/$defs/x"},{"$ref":"#/$defs/y"}],
	      "$defs":{"x":{"additionalProperties":{"$ref":"#/$defs/z"}},
	               "y":{"additionalProperties":{"$ref":"#/$defs/z"}},
	               "z":{"anyOf":[{"items":{"$ref":"#/$defs/z"},"minItems":2},
	                             {"items":{"$ref":"#/$defs/z"},"minItems":3}]}}}' \
		>schema.json
	{
		printf '{"a":"%s!"}\n' "$(printf 'a%.0s' $(seq 5000))"
		printf '{"b":%s%s}\n' "$(printf '[%.0s' $(seq 200))" \
			"$(printf ']%.0s' $(seq 200))"
		echo '{}'
	} >in
	run_prog ev-validate --schema schema.json in
	want_code 1
	tail -n 1 in | same - "$OUT"
	[ "$(grep -c 'takes too many steps\|pattern\|matches none' "$ERR")" -eq 2 ]
}

@test "a schema that leads back to itself at once does not load" {
	echo '{"allOf":[{"$ref":"#"}]}' >schema.json
	run_prog ev-validate --schema schema.json </dev/null
	want_code 2
	grep -qF "refers to itself without a step into the value" "$ERR"
}
