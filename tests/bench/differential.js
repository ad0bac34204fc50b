// $dynamicRef is not among the subjects: ajv gets it wrong (25 tests of the suite).
// differential.js DIR EV-VALIDATE COUNT SEED: see differential.sh.
'use strict';
const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');
const Ajv = require('ajv/dist/2020');

const [dir, evValidate, count, seed] = process.argv.slice(2);

// A generator of its own, so that a seed gives the same events everywhere.
let state = Number(seed) >>> 0;
const random = () => {
	state = (state + 0x6d2b79f5) >>> 0;
	let t = Math.imul(state ^ (state >>> 15), state | 1);
	t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
	return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const subjects = {
	event: [{
		type: 'object', required: ['id', 'name', 'payload'],
		properties: {
			id: { type: 'string', minLength: 1, maxLength: 20 },
			name: { enum: ['ping', 'service:subscribed'] },
			payload: {
				type: 'object', required: ['fiscalCode'],
				properties: {
					fiscalCode: { type: 'string', pattern: '^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]$' },
					n: { type: 'integer', minimum: 0, exclusiveMaximum: 100 },
				},
				additionalProperties: false,
			},
		},
	}, { id: 'e1', name: 'ping', payload: { fiscalCode: 'AAAAAA00A00A000A', n: 5 } }],
	order: [{
		$defs: {
			money: { type: 'object', required: ['amount'], properties: { amount: { type: 'number', minimum: 0, multipleOf: 0.5 }, currency: { enum: ['EUR', 'USD'] } }, additionalProperties: false },
			item: { type: 'object', properties: { sku: { type: 'string', pattern: '^SKU-\\d+$' }, price: { $ref: '#/$defs/money' }, tags: { type: 'array', items: { type: 'string' }, uniqueItems: true, maxItems: 4 } }, required: ['sku', 'price'] },
		},
		type: 'object', required: ['items'],
		properties: { items: { type: 'array', minItems: 1, items: { $ref: '#/$defs/item' } }, note: { type: ['string', 'null'] } },
	}, { items: [{ sku: 'SKU-1', price: { amount: 1.5, currency: 'EUR' }, tags: ['a', 'b'] }, { sku: 'SKU-22', price: { amount: 0 } }], note: null }],
	tree: [{
		$id: 'https://example.com/tree', type: 'object', required: ['value'],
		properties: { value: { type: 'integer' }, children: { type: 'array', items: { $ref: '#' } } },
		additionalProperties: false,
	}, { value: 1, children: [{ value: 2, children: [{ value: 3 }] }, { value: 4 }] }],
	shape: [{
		oneOf: [
			{ properties: { kind: { const: 'circle' }, r: { type: 'number', exclusiveMinimum: 0 } }, required: ['kind', 'r'] },
			{ properties: { kind: { const: 'box' }, w: { type: 'number' }, h: { type: 'number' } }, required: ['kind', 'w', 'h'] },
			{ properties: { r: { type: 'number' }, w: { type: 'number' } }, required: ['r', 'w'], not: { required: ['kind'] } },
		],
	}, { kind: 'circle', r: 2, w: 3, h: 4 }],
	condition: [{
		type: 'object',
		if: { properties: { country: { const: 'IT' } }, required: ['country'] },
		then: { properties: { zip: { pattern: '^[0-9]{5}$' } }, required: ['zip'] },
		else: { properties: { zip: { type: 'string', maxLength: 10 } } },
		dependentRequired: { street: ['zip', 'city'] },
		dependentSchemas: { vat: { required: ['company'], properties: { vat: { minLength: 3 } } } },
	}, { country: 'IT', zip: '20100', street: 'a', city: 'b', vat: 'IT1', company: 'c' }],
	tuple: [{
		type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }, { enum: ['a', 'b', 1] }],
		items: { type: 'boolean' }, minItems: 2, maxItems: 6,
	}, ['x', 1, 'a', true, false]],
	contains: [{
		type: 'array', contains: { type: 'object', required: ['ok'] }, minContains: 1, maxContains: 2,
		items: { type: ['object', 'number'] }, uniqueItems: true,
	}, [{ ok: 1 }, 2, { ok: 2 }, 3]],
	patterns: [{
		type: 'object', patternProperties: { '^x-': { type: 'string' }, '_at$': { type: 'integer', minimum: 0 } },
		properties: { name: { minLength: 2 } }, additionalProperties: { type: 'boolean' },
		propertyNames: { maxLength: 12, pattern: '^[a-z_-]+$' }, minProperties: 1, maxProperties: 5,
	}, { 'x-a': 'b', created_at: 5, name: 'ab', flag: true }],
	closed: [{
		allOf: [{ properties: { a: { type: 'string' } }, required: ['a'] }, { $ref: '#/$defs/b' }],
		anyOf: [{ properties: { c: { type: 'number' } } }, { properties: { d: true }, required: ['d'] }],
		unevaluatedProperties: false,
		$defs: { b: { properties: { b: { type: 'array', prefixItems: [{ type: 'null' }], unevaluatedItems: { type: 'string' } } } } },
	}, { a: 'x', b: [null, 'y'], c: 5, d: 1 }],
	values: [{
		properties: {
			e: { enum: [null, 1, 'one', [1, 2], { a: 1, b: [true] }] },
			c: { const: { x: [1, { y: 2 }] } },
			n: { not: { type: ['string', 'array'] } },
			m: { anyOf: [{ multipleOf: 3 }, { multipleOf: 5 }, { type: 'boolean' }] },
		},
	}, { e: { b: [true], a: 1 }, c: { x: [1, { y: 2 }] }, n: 1, m: 15 }],
	texts: [{
		properties: {
			u: { minLength: 2, maxLength: 3 },
			w: { pattern: '\\w\\s\\d' }, l: { pattern: '^\\p{Lu}\\p{L}*$' },
			q: { pattern: '^(?:a|bc){1,3}?(?=d)d$' }, z: { pattern: '^[^\\u0000-\\u001f"]+$' },
		},
	}, { u: 'é€', w: 'a 1', l: 'Äpfel', q: 'abcd', z: 'plain' }],
};

const scalars = [null, true, false, 0, 1, -1, 3, 5, 15, 1.5, 0.1, 100, 2.0e3, '', 'a', 'ab', 'EUR', 'circle', 'box', 'IT', 'AAAAAA00A00A000A', 'é', '€uro', '😀', 'a 1', 'SKU-9', '99999', [], {}, [1], { a: 1 }];
const names = ['a', 'b', 'c', 'd', 'e', 'id', 'n', 'ok', 'kind', 'r', 'w', 'h', 'zip', 'vat', 'x-b', 'x_at', 'flag', 'note', 'sku', 'value', 'Upper', 'a-name-too-long', '__proto__', 'constructor'];

const scalar = () => structuredClone(pick(scalars));

// All places of a value, as [holder, key].
const places = (v, out) => {
	if (v && typeof v === 'object')
		for (const k of Object.keys(v)) {
			out.push([v, k]);
			places(v[k], out);
		}
	return out;
};

const change = (root) => {
	const where = places(root.v, [[root, 'v']]);
	const [holder, key] = pick(where);
	const value = holder[key];
	switch (below(8)) {
	case 0: holder[key] = scalar(); break;
	case 1: if (Array.isArray(holder)) holder.splice(Number(key), 1); else if (holder !== root) delete holder[key]; break;
	case 2: if (value && typeof value === 'object' && !Array.isArray(value)) Object.defineProperty(value, pick(names), { value: scalar(), enumerable: true, configurable: true, writable: true }); break;
	case 3: if (Array.isArray(value)) value.splice(below(value.length + 1), 0, value.length && below(2) ? structuredClone(pick(value)) : scalar()); break;
	case 4: if (typeof value === 'string') holder[key] = value.slice(0, below(value.length + 1)) + pick(['', 'x', 'é', '😀', '\n', '0', ' ']) + value.slice(below(value.length + 1)); break;
	case 5: if (typeof value === 'number') holder[key] = pick([value + 1, -value, value * 1.5, value / 2, value * 10]); break;
	case 6: holder[key] = structuredClone(pick(where)[0]); break;
	case 7: holder[key] = scalar(); break;
	}
};

// The same value in other words.
const spell = (text) => text.replace(/(?<=[:[,])(-?\d+)(?=[,}\]])/g, (n) => below(6) ? n : pick([n + '.0', n + 'e0', n + '.00E0', n === '0' ? '-0' : n + '0E-1']))
	.replace(/"[a-z]+"/g, (s) => below(20) ? s : '"' + s.slice(1, -1).replace(/^./, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')) + '"');

// Where ajv is known to be wrong, or laxer than evpipe means to be.
const excuse = (line) => {
	if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\\u[dD][89a-fA-F]/.test(line))
		return 'half of a surrogate pair is no character: evpipe refuses the line';
	if (/"(constructor|__proto__|toString|valueOf|hasOwnProperty)"/.test(line))
		return 'ajv finds members of Object.prototype in every object';
	return null;
};

const ajv = new Ajv({ strict: false, validateFormats: false, logger: false });
let events = 0, valid = 0, differences = 0;
const excuses = {};
for (const [name, [schema, sample]] of Object.entries(subjects)) {
	const file = path.join(dir, name + '.json');
	const validate = ajv.compile(schema);
	const lines = [], wanted = [];

	while (lines.length < Number(count)) {
		const root = { v: structuredClone(sample) };
		for (let n = below(4); n > 0; n--) change(root);
		const json = JSON.stringify(root.v);
		if (json === undefined || json.length > 100000) continue;
		const line = spell(json);
		lines.push(line);
		// The value as it is read, not as it was made.
		if (validate(JSON.parse(line))) wanted.push(line);
	}
	fs.writeFileSync(file, JSON.stringify(schema));
	const run = spawnSync(evValidate, ['--schema', file], { input: lines.join('\n') + '\n', maxBuffer: 1 << 30 });
	if (run.status !== 0 && run.status !== 1) {
		console.log(`${name}: exit ${run.status}: ${run.stderr}`);
		process.exit(1);
	}
	const taken = run.stdout.toString().split('\n').slice(0, -1);
	let i = 0, k = 0, wrong = 0;
	for (const line of lines) {
		const ours = taken[i] === line, theirs = wanted[k] === line;
		i += ours;
		k += theirs;
		if (ours === theirs) continue;
		const why = excuse(line);
		if (why) {
			excuses[why] = (excuses[why] || 0) + 1;
			continue;
		}
		wrong++;
		if (wrong <= 20) console.log(`${name}: ${ours ? 'ev-validate' : 'ajv'} alone takes ${line}`);
	}
	console.log(`${name}: ${lines.length} events, ${wanted.length} valid, ${wrong} unexplained differences`);
	events += lines.length;
	valid += wanted.length;
	differences += wrong;
}
for (const [why, n] of Object.entries(excuses))
	console.log(`${n} explained: ${why}`);
console.log(`${events} events, ${valid} valid, ${differences} unexplained differences`);
process.exitCode = Number(differences > 0);
