// What both programs share: the command line (HOST:PORT CA_FILE ROOMS SECONDS OUTPUT), the file, and the end
// of standard input, or the most seconds, as the end. The authority is trusted by NODE_EXTRA_CA_CERTS.
import fs from 'node:fs';

const [address, , count, seconds, path] = process.argv.slice(2);
export const [host, port] = [address.split(':')[0], Number(address.split(':')[1])];
export const rooms = Array.from({ length: Number(count) }, (_, n) => `room${n + 1}`);

const file = fs.openSync(path, 'w');
let lines = [];
let size = 0;

function flush() {
  if (lines.length) fs.writeSync(file, lines.join(''));
  lines = [];
  size = 0;
}

export function write(message) {
  const line = JSON.stringify(message) + '\n';
  lines.push(line);
  size += line.length;
  if (size >= 65536) flush();
}

function end() {
  flush();
  process.exit(0);
}

process.stdin.on('end', end).resume();
setTimeout(end, Number(seconds) * 1000);
