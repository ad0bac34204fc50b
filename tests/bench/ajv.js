// How ajv is used on NDJSON: compiled once, lines by readline.
// Usage: node ajv.js SCHEMA FILE: prints how many lines are valid.
"use strict";
const fs = require("fs");
const Ajv = require("ajv/dist/2020");

const schema = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const validate = new Ajv({ strict: false, validateFormats: false })
	.compile(schema);
const lines = require("readline").createInterface({
	input: fs.createReadStream(process.argv[3]),
	crlfDelay: Infinity,
});
let valid = 0;

lines.on("line", (line) => {
	if (validate(JSON.parse(line)))
		valid++;
});
lines.on("close", () => console.log(valid));
