// Starts the real binary on a free port with its demo data, and stops it the way a supervisor would.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const START_MS = 60_000;
const STOP_MS = 15_000;

/** Resolves when the server has said where it listens; fails with its log if it does not. */
export async function startServer(binary, directory) {
  const child = spawn(
    binary,
    ['serve', '--demo', '--listen', '127.0.0.1:0', '--database-url', `sqlite://${directory}/demo.db`],
    { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    // A child that died of a signal has no exit code: say the signal instead.
    child.once('close', (code, signal) => resolve(code ?? signal));
  });

  const origin = await new Promise((resolve, reject) => {
    const fail = (what) => reject(new Error(`${binary} ${what}\n${log}`));
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
      resolve(address[0]);
    });
  });

  return {
    origin,
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
