// The peer's side of bullmq.sh: JOBS calls by BullMQ, on a redis behind SOCKET whose
// process is PID. They are added a thousand at a time, then drained by a worker with 64
// jobs at once and a pool of 64 connections; each is signed as Standard Webhooks says.
// Or, with ONE, so many are added one after the other. Prints numbers, for the shell.
const { readFileSync } = require('fs');
const { createHmac, randomBytes, randomUUID } = require('crypto');
const { Queue, Worker } = require('bullmq');
const { Pool } = require('undici');

const [path, pid, port, jobs, one, body] = process.argv.slice(2);
const IN_FLIGHT = 64, GROUP = 1000;
const connection = { path, maxRetriesPerRequest: null };
const options = { attempts: 5, backoff: { type: 'exponential', delay: 1000 },
	removeOnComplete: true };
const key = randomBytes(24);
const hex = (n) => randomBytes(n).toString('hex');
const call = () => ({ id: 'msg_' + hex(16), event: randomUUID(), webhook: 'w1',
	path: '/hook', body });

// Of this process and redis (with children that rewrote its file), in microseconds.
function cpu() {
	const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
	const ticks = stat.slice(11, 15).reduce((sum, n) => sum + Number(n), 0);
	const own = process.cpuUsage();
	return own.user + own.system + ticks * 10000;
}
function peak(id) {
	return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'latin1'))[1]);
}
async function measured(name, n, work) {
	const start = process.hrtime.bigint(), before = cpu();
	await work();
	const us = Number(process.hrtime.bigint() - start) / 1000;
	console.log(name, n / us * 1e6, (cpu() - before) / n);
}

async function add(queue) {
	for (let left = jobs; left > 0; left -= GROUP)
		await queue.addBulk(Array.from({ length: Math.min(left, GROUP) }, () => {
			const data = call();
			return { name: 'call', data, opts: { jobId: data.id, ...options } };
		}));
}
async function drain(pool) {
	let left = Number(jobs), done, worker;
	const all = new Promise((resolve) => { done = resolve; });
	worker = new Worker('calls', async ({ data }) => {
		const seconds = Math.floor(Date.now() / 1000);
		const mac = createHmac('sha256', key)
			.update(`${data.id}.${seconds}.${data.body}`).digest('base64');
		const answer = await pool.request({ path: data.path, method: 'POST',
			body: data.body, headersTimeout: 30000, headers: {
				'content-type': 'application/json', 'user-agent': 'peer',
				'webhook-id': data.id, 'webhook-timestamp': `${seconds}`,
				'webhook-signature': `v1,${mac}` } });
		await answer.body.dump();
		if (answer.statusCode !== 204)
			throw new Error(`answered ${answer.statusCode}`);
	}, { connection, concurrency: IN_FLIGHT });
	worker.on('completed', () => { if (--left === 0) done(); });
	worker.on('failed', (job, error) => { throw error; });
	await all;
	return worker;
}

(async () => {
	const queue = new Queue('calls', { connection });
	await queue.waitUntilReady();
	await queue.obliterate({ force: true });
	if (one > 0) {
		await measured('one', one, async () => {
			for (let i = 0; i < one; i++)
				await queue.add('call', call(), options);
		});
		await queue.obliterate({ force: true });
	} else {
		const pool = new Pool(`http://127.0.0.1:${port}`, { connections: IN_FLIGHT });
		let worker;
		await measured('bulk', jobs, () => add(queue));
		await measured('drain', jobs, async () => { worker = await drain(pool); });
		console.log('rss', peak('self') + peak(pid), 0);
		await worker.close();
		await pool.close();
	}
	await queue.close();
})();
