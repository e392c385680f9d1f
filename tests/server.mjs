// Starts the real binary on a free port, and stops it the way a supervisor would.
//   PARLOUR_BIN  the binary, ../target/debug/parlour unless told
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const START_MS = 60_000;
const STOP_MS = 15_000;
const BINARY = process.env.PARLOUR_BIN
  ? resolve(process.env.PARLOUR_BIN)
  : fileURLToPath(new URL('../target/debug/parlour', import.meta.url));

/** Makes an audience up with `parlour demo` and serves it. `flags` go to `parlour serve`. */
export async function startServer({ demo = [], flags = [] } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'parlour-http-'));
  const database = ['--database-url', `sqlite://${directory}/demo.db`];
  try {
    await promisify(execFile)(BINARY, ['demo', ...demo, ...database], { cwd: directory });
    const child = await serve(directory, [...database, ...flags]);
    return {
      ...child,
      async stop() {
        const status = await child.stop();
        await rm(directory, { recursive: true, force: true });
        return status;
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Resolves when the server has said where it listens; fails with its log if it does not. */
export async function serve(directory, flags) {
  const child = spawn(BINARY, ['serve', '--listen', '127.0.0.1:0', '--log', 'warn', ...flags], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-20_000)));
  let running = true;
  const ended = new Promise((done) => {
    child.once('error', (error) => done(error.message));
    // A child that died of a signal has no exit code: say the signal instead.
    child.once('close', (code, signal) => done(code ?? signal));
  }).finally(() => (running = false));

  const origin = await new Promise((found, reject) => {
    const fail = (what) => reject(new Error(`${BINARY} ${what}\n${log}`));
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`did not say where it listens within ${START_MS} ms`);
    }, START_MS);
    ended.then((status) => {
      clearTimeout(late);
      fail(`ended before it listened: ${status}`);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const address = /http:\/\/[^\s/]+/.exec(line);
      if (!address) return;
      clearTimeout(late);
      found(address[0]);
    });
  });

  return {
    origin,
    url: `${origin}/graphql`,
    /** The exit code or signal, once there is one. */
    ended,
    running: () => running,
    log: () => log,
    /** A figure of /proc/<pid>/status in MiB: VmRSS is the memory in use, VmHWM its peak. Null where there is no /proc. */
    async memory(figure) {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
      const kib = new RegExp(`^${figure}:\\s+(\\d+) kB`, 'm').exec(status);
      return kib && Number(kib[1]) / 1024;
    },
    /** Asks the server to stop and returns its exit code, or the signal that it died of. */
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const status = await ended;
      clearTimeout(late);
      return status;
    },
  };
}

/** Asks the graph; the status, and the body as text and as JSON. */
export async function ask(url, question, signal) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify(question),
    signal,
  });
  const text = await response.text();
  return { status: response.status, text, body: JSON.parse(text) };
}
