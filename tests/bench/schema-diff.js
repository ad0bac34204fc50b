// ev-validate against ajv and sourcemeta's jsonschema: the same events, varied
// at random from good ones, by schemas that use the whole vocabulary. Every
// event on which not all three agree is printed, with the three verdicts.
// Usage: node schema-diff.js EV_VALIDATE JSONSCHEMA FOLDER [EVENTS [SEED]]
"use strict";
const fs = require("fs");
const { spawnSync } = require("child_process");
const Ajv = require("ajv/dist/2020");

const [program, jsonschema, folder] = process.argv.slice(2);
const total = Number(process.argv[5] || 100000);
let seed = Number(process.argv[6] || 1);

function random(n) { // 0 to n - 1 (mulberry32)
	seed = (seed + 0x6d2b79f5) | 0;
	let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) % n;
}
const one = (list) => list[random(list.length)];

// A number in a spelling that JSON.stringify would not give.
class Spelled {
	constructor(text) { this.text = text; }
}

const text = { type: "string", minLength: 1, maxLength: 12 };
const cases = {
	event: {
		schema: {
			type: "object",
			properties: {
				id: text,
				name: { enum: ["profile:completed", "message:created"] },
				payload: {
					type: "object",
					properties: {
						code: { type: "string", pattern: "^[A-Z]{6}[0-9]{2}[A-Z]$" },
						count: { type: "integer", minimum: 0, maximum: 9 },
						ratio: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
					},
					required: ["code"],
					additionalProperties: false,
				},
			},
			required: ["name", "payload"],
		},
		good: [
			{ id: "a", name: "message:created", payload: { code: "ABCDEF12G" } },
			{ name: "profile:completed", payload: { code: "ABCDEF12G", count: 3, ratio: 0.5 } },
		],
	},
	nested: {
		schema: {
			$ref: "#/$defs/order",
			$defs: {
				order: {
					type: "object",
					properties: {
						items: { type: "array", items: { $ref: "#/$defs/item" }, minItems: 1, maxItems: 3 },
						address: { $ref: "#/$defs/address" },
						note: { type: ["string", "null"], maxLength: 5 },
					},
					required: ["items"],
					additionalProperties: { $ref: "#/$defs/address" },
				},
				item: {
					type: "object",
					properties: { sku: text, n: { $ref: "#/$defs/count" } },
					required: ["sku", "n"],
				},
				count: { type: "integer", minimum: 1 },
				address: {
					type: "object",
					properties: { zip: { type: "string", pattern: "^\\d{5}$" } },
					additionalProperties: false,
				},
			},
		},
		good: [
			{ items: [{ sku: "a", n: 1 }, { sku: "b", n: 2 }], address: { zip: "12345" } },
			{ items: [{ sku: "a", n: 1 }], note: null, other: { zip: "00000" } },
		],
	},
	oneOf: {
		schema: {
			type: "object",
			required: ["kind"],
			oneOf: [
				{ properties: { kind: { const: "card" }, number: { type: "string", pattern: "^[0-9]{4}$" } }, required: ["number"] },
				{ properties: { kind: { const: "bank" }, iban: { type: "string", minLength: 4 } }, required: ["iban"] },
				{ properties: { kind: { enum: ["cash", "card"] }, number: false } },
			],
		},
		good: [{ kind: "card", number: "1234" }, { kind: "bank", iban: "IT60" }, { kind: "cash" }],
	},
	combined: {
		schema: {
			allOf: [{ type: "object" }, { required: ["a"] }],
			anyOf: [
				{ properties: { a: { type: "string" } } },
				{ properties: { a: { type: "number", minimum: 10 } } },
			],
			not: { properties: { b: { const: null } }, required: ["b"] },
		},
		good: [{ a: "x" }, { a: 12, b: 1 }],
	},
	conditional: {
		schema: {
			type: "object",
			if: { properties: { country: { const: "IT" } }, required: ["country"] },
			then: { properties: { zip: { pattern: "^[0-9]{5}$" } }, required: ["zip"] },
			else: { properties: { zip: { maxLength: 3 } } },
			dependentRequired: { card: ["holder", "expiry"] },
			dependentSchemas: { expiry: { properties: { expiry: { minLength: 2 } }, minProperties: 3 } },
		},
		good: [
			{ country: "IT", zip: "12345" }, { country: "DE", zip: "1" },
			{ card: "1", holder: "a", expiry: "12" },
		],
	},
	members: {
		schema: {
			type: "object",
			properties: { a1: { type: "boolean" } },
			patternProperties: { "^a": { type: ["boolean", "integer"] }, "\\d$": { not: { type: "integer" } }, "\u00e9": true },
			additionalProperties: { type: "string" },
			propertyNames: { minLength: 1, maxLength: 4 },
			minProperties: 1,
			maxProperties: 4,
		},
		good: [{ a1: true, ab: 3, x: "y" }, { "\u00e9": [1], b: "c" }],
	},
	arrays: {
		schema: {
			type: "object",
			properties: {
				tuple: { prefixItems: [{ type: "string" }, { type: "integer" }], items: { type: "boolean" } },
				closed: { prefixItems: [true, { minimum: 2 }], items: false },
				has: { contains: { type: "number", minimum: 5 }, minContains: 2, maxContains: 3 },
				any: { contains: { const: "x" }, minContains: 0 },
				set: { type: "array", uniqueItems: true, minItems: 1, maxItems: 5 },
			},
		},
		good: [
			{ tuple: ["a", 1, true, false], closed: [1, 2] },
			{ has: [5, 6, "x", 1], any: [], set: [1, "1", [1], { a: 1, b: 2 }, null] },
			{ set: [{ a: 1, b: 2 }, { b: 2, a: 2 }, 1.5, false, 0] },
		],
	},
	unevaluatedProperties: {
		schema: {
			$defs: { base: { properties: { id: { type: "string" }, b: { type: "integer" } } } },
			allOf: [{ $ref: "#/$defs/base" }],
			anyOf: [
				{ properties: { c: { type: "string" } }, required: ["c"] },
				{ properties: { d: { type: "string" } }, required: ["d"] },
				true,
			],
			if: { properties: { e: { const: 1 } }, required: ["e"] },
			then: { properties: { f: true } },
			patternProperties: { "^x": true },
			unevaluatedProperties: false,
		},
		good: [
			{ id: "a", b: 1 }, { c: "x", d: "y" }, { e: 1, f: 2 }, { id: "a", xx: 1, c: "z" },
		],
	},
	unevaluatedItems: {
		schema: {
			prefixItems: [{ type: "string" }],
			anyOf: [{ prefixItems: [true, { type: "integer" }] }, { contains: { const: "c" } }, true],
			unevaluatedItems: { type: "boolean" },
		},
		good: [["a"], ["a", 1], ["a", 1, true], ["a", "c", "c"], ["a", true, true]],
	},
	tree: {
		schema: {
			$id: "https://example.com/tree",
			$ref: "#node",
			$defs: {
				node: {
					$anchor: "node",
					type: "object",
					properties: {
						value: { type: ["number", "string"] },
						children: { type: "array", items: { $ref: "#node" } },
						parent: { $ref: "names/name" },
						other: { $ref: "/tree#/$defs/name" },
					},
					required: ["value"],
					additionalProperties: false,
				},
				name: { $id: "names/name", type: "string", pattern: "^\\p{Lu}" },
			},
		},
		good: [
			{ value: 1, children: [{ value: "a" }, { value: 2, children: [] }] },
			{ value: "\u00c9", parent: "\u00c9va", children: [{ value: 1, parent: "A" }] },
		],
	},
	dynamic: {
		schema: {
			$id: "https://example.com/strict",
			$dynamicAnchor: "node",
			$ref: "open",
			unevaluatedProperties: false,
			$defs: {
				open: {
					$id: "open",
					$dynamicAnchor: "node",
					type: "object",
					properties: { data: true, children: { type: "array", items: { $dynamicRef: "#node" } } },
				},
			},
		},
		good: [{ data: 1 }, { children: [{ data: 1, children: [] }, {}] }],
	},
	numbers: {
		schema: {
			type: "object",
			additionalProperties: {
				anyOf: [
					{ type: "integer", multipleOf: 3, minimum: -9, maximum: 300 },
					{ type: "number", multipleOf: 0.01, exclusiveMaximum: 2 },
					{ type: "string" },
				],
			},
			properties: {
				x: { exclusiveMinimum: -1.5, maximum: 1e3 },
				y: { type: "integer" },
				z: { enum: [1, 2.5, 1e2, -0] },
			},
		},
		good: [{ x: 1.5, y: 2, z: 100 }, { a: 3, b: 0.25, c: "x" }, { a: -9, b: 1.1, x: 9 }],
	},
	equality: {
		schema: {
			type: "object",
			properties: {
				a: { const: { x: [1, { y: null }], z: "\u00e9" } },
				b: { enum: [[1, 2], { k: 1 }, "s", null, 0, false, ""] },
				c: { const: 1 },
			},
			minProperties: 1,
		},
		good: [
			{ a: { z: "\u00e9", x: [1, { y: null }] }, b: [1, 2], c: 1 },
			{ b: { k: 1 } }, { b: 0 }, { b: false },
		],
	},
	strings: {
		schema: {
			type: "object",
			properties: {
				length: { minLength: 2, maxLength: 3 },
				word: { pattern: "^\\w+$" },
				emoji: { pattern: "^\\p{Emoji_Presentation}{1,2}$" },
				dot: { pattern: "^.$" },
				space: { pattern: "\\s" },
				twice: { pattern: "^(.+)\\1$" },
				ahead: { pattern: "^(?=.*[0-9])(?=.*[a-z]).{2,}$" },
			},
			additionalProperties: false,
		},
		good: [
			{ length: "ab\u{1f600}", word: "a_1", emoji: "\u{1f600}", dot: "\u{1f600}" },
			{ space: "a\u00a0", twice: "abab", ahead: "a1" },
		],
	},
};

const names = ["a", "b", "c", "id", "name", "kind", "x", "xx", "a1", "ab", "\u00e9", "value", "children", "items",
	"card", "e", "d", "zip", "long name", "", "__proto__", "a/b~c"];
const strings = ["", "a", "ab", "abc", "card", "cash", "IT", "12345", "1234", "ABCDEF12G", "\u00e9", "\u{1f600}",
	"\u{1f600}\u{1f600}", "a b", "\n", "\u2028", "a\u0000b", "a_1", "aa", "x", "c", "\u0130", "0123456789abc"];
const numbers = [0, 1, -1, 2, 3, 5, 6, 9, 10, 12, 100, 1000, 1001, 0.5, 0.29, 1.1, 1.999, 2.5, -1.5, 0.1, 1e21, 1e-7,
	...["1.0", "-0", "1e0", "10e-1", "0.10", "1E2", "2.50", "300.0"].map((n) => new Spelled(n))];
// Beyond doubles: ev-validate compares these exactly, ajv as the nearest ones.
const exact = ["9007199254740993", "1e400", "0.30000000000000000001", "1.0000000000000000001",
	"18446744073709551617", "-1e-400"].map((n) => new Spelled(n));

function value(depth) {
	switch (random(depth > 0 ? 9 : 7)) {
	case 0: return null;
	case 1: return random(2) === 0;
	case 2: case 3: return one(strings);
	case 4: case 5: return one(numbers);
	case 6: return random(8) === 0 ? one(exact) : one(numbers);
	case 7: return Array.from({ length: random(4) }, () => value(depth - 1));
	default: return Object.fromEntries(Array.from({ length: random(4) }, () => [one(names), value(depth - 1)]));
	}
}

const isObject = (v) => v !== null && typeof v === "object" && !(v instanceof Spelled);

// One change somewhere in a value; the value that stands there afterwards.
function mutate(v) {
	if (!isObject(v) || random(6) === 0)
		return random(12) === 0 ? v : value(2);
	if (Array.isArray(v)) {
		const list = v.slice(), i = random(list.length + 1);
		switch (random(5)) {
		case 0: list.splice(i, 1); break;
		case 1: list.splice(i, 0, value(1)); break;
		case 2: if (list.length) list.splice(i, 0, one(list)); break;
		default: if (i < list.length) list[i] = mutate(list[i]);
		}
		return list;
	}
	const members = Object.entries(v), i = random(members.length + 1);
	switch (random(6)) {
	case 0: members.splice(i, 1); break;
	case 1: members.splice(i, 0, [one(names), value(2)]); break;
	case 2: if (i < members.length) members[i] = [one(names), members[i][1]]; break;
	default: if (i < members.length) members[i] = [members[i][0], mutate(members[i][1])];
	}
	return Object.fromEntries(members);
}

function write(v) {
	if (v instanceof Spelled)
		return v.text;
	if (Array.isArray(v))
		return "[" + v.map(write).join(",") + "]";
	if (isObject(v))
		return "{" + Object.entries(v).map(([k, m]) => JSON.stringify(k) + ":" + write(m)).join(",") + "}";
	return JSON.stringify(v);
}

const run = (...command) => spawnSync(command[0], command.slice(1),
	{ encoding: "utf8", maxBuffer: 1 << 30, env: { PATH: process.env.PATH } });

// The verdicts of each: an array of booleans, or what went wrong.
function byUs(schema, file, lines) {
	const r = run(program, "--schema", schema, file);
	if (r.status !== 0 && r.status !== 1)
		return r.stderr.split("\n")[0];
	// What passes are the lines themselves, in order.
	const passed = r.stdout.split("\n");
	let next = 0;
	const verdicts = lines.map((line) => passed[next] === line && ++next > 0);
	return next === passed.length - 1 ? verdicts : "lines came out that did not go in";
}

function byAjv(schema, file, lines) {
	try {
		const validate = new Ajv({ strict: false, validateFormats: false })
			.compile(JSON.parse(fs.readFileSync(schema, "utf8")));
		return lines.map((line) => validate(JSON.parse(line)));
	} catch (e) {
		return e.message;
	}
}

function bySourcemeta(schema, file, lines) {
	const r = run(jsonschema, "validate", "--fast", "--continue", schema, file);
	if (r.status !== 0 && r.status !== 2)
		return (r.stderr.match(/^unexpected error: (.*)$/m) || ["", `exit ${r.status}`])[1];
	const verdicts = lines.map(() => true);
	for (const [, entry] of (r.stdout + r.stderr).matchAll(/^fail: .* \(entry #(\d+)\)$/gm))
		verdicts[entry - 1] = false;
	return verdicts;
}

const list = Object.entries(cases);
const judges = [["ev-validate", byUs], ["ajv", byAjv], ["sourcemeta", bySourcemeta]];
const sum = { events: 0, valid: 0, alone: [0, 0, 0], failed: 0 };

for (const [name, { schema, good }] of list) {
	const file = `${folder}/${name}`;
	const lines = [];
	for (let i = 0; i < Math.ceil(total / list.length); i++) {
		let v = one(good);
		for (let k = random(4); k > 0; k--)
			v = mutate(v);
		lines.push(write(v));
	}
	schema.$schema = "https://json-schema.org/draft/2020-12/schema";
	fs.writeFileSync(file + ".json", JSON.stringify(schema));
	fs.writeFileSync(file + ".jsonl", lines.join("\n") + "\n");

	const verdicts = judges.map(([, judge]) => judge(file + ".json", file + ".jsonl", lines));
	verdicts.forEach((v, k) => {
		if (Array.isArray(v))
			return;
		console.log(`${name}: ${judges[k][0]} failed: ${v}`);
		sum.failed += k < 2;
		// The third has no vote: ev-validate stands alone against ajv.
		verdicts[k] = k === 2 ? verdicts[1] : lines.map(() => null);
	});
	const alone = [0, 0, 0]; // who stands against the other two
	lines.forEach((line, i) => {
		const [a, b, c] = verdicts.map((v) => v[i]);
		if (a === b && b === c)
			return;
		const who = a === b ? 2 : a === c ? 1 : 0;
		alone[who]++;
		console.log(`${name}: ${judges[who][0]} alone says ${[a, b, c][who] ? "valid" : "invalid"}: ${line}`);
	});
	const valid = verdicts[0].filter((v) => v).length;
	console.log(`${name}: ${lines.length} events, ${valid} valid; alone: ` +
		judges.map(([judge], k) => `${judge} ${alone[k]}`).join(", "));
	sum.events += lines.length;
	sum.valid += valid;
	alone.forEach((n, k) => { sum.alone[k] += n; });
}
console.log(`${list.length} schemas, ${sum.events} events, ${sum.valid} valid; alone: ` +
	judges.map(([judge], k) => `${judge} ${sum.alone[k]}`).join(", "));
process.exitCode = sum.failed || sum.alone[0] ? 1 : 0;
