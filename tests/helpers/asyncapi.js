// The official parser's judgement of an AsyncAPI document: each of its errors and
// warnings is a line, then what it found in it. Run by asyncapi.bats:
//	NODE_PATH=…/node_modules node asyncapi.js FILE
const fs = require('fs');
const { Parser } = require('@asyncapi/parser');

// 0: error, 1: warning; what is below is advice, such as a newer version.
async function judge(file) {
	const parser = new Parser();
	const { document, diagnostics } = await parser.parse(
		fs.readFileSync(file, 'utf8'));

	for (const d of diagnostics.filter((one) => one.severity < 2))
		console.log(`${d.code} at ${d.path.join('/')}: ${d.message}`);
	if (!document)
		return 1;
	for (const o of document.operations().all())
		for (const m of o.messages().all()) {
			const schemes = o.security().flatMap((s) => s.all())
				.map((s) => s.scheme().type());
			const headers = Object.keys(m.headers().properties());

			console.log([ o.action(), m.name(), m.contentType(),
				schemes.join(), headers.join(),
				m.schemaFormat() ].join(' '));
		}
	return 0;
}

judge(process.argv[2]).then((code) => { process.exitCode = code; });
