// tmi.js. It speaks IRC over WebSocket only, so what it takes for a WebSocket is a TLS connection here: each
// read, up to its last whole line, is one message to it. That costs it less than a WebSocket would.
const tls = require('node:tls');

class Lines {
  constructor() {
    this.readyState = 0;
    this.rest = '';
    const { host, port } = Lines.server;
    this.socket = tls.connect({ host, port });
    this.socket.setEncoding('utf8');
    this.socket.on('secureConnect', () => {
      this.readyState = 1;
      this.onopen();
    });
    this.socket.on('data', (data) => {
      const whole = this.rest + data;
      const cut = whole.lastIndexOf('\n') + 1;
      this.rest = whole.slice(cut);
      if (cut) this.onmessage({ data: whole.slice(0, cut) });
    });
    this.socket.on('error', (error) => console.error(String(error)));
    this.socket.on('close', () => {
      this.readyState = 3;
      this.onclose();
    });
  }

  send(line) {
    this.socket.write(line + '\r\n');
  }

  close() {
    this.socket.end();
  }
}

async function main() {
  const { host, port, rooms, write } = await import('./shared.js');
  Lines.server = { host, port };
  globalThis.WebSocket = Lines;
  const tmi = require('tmi.js');
  const client = new tmi.Client({ connection: { server: host, port, secure: true } });
  client.on('message', (channel, tags, text) => {
    write({
      id: tags.id,
      timestamp: Number(tags['tmi-sent-ts']),
      channel: channel.slice(1),
      user_id: tags['user-id'],
      login: tags.username,
      name: tags['display-name'],
      color: tags.color,
      text,
    });
  });
  client.on('connected', () => client.raw(`JOIN ${rooms.map((room) => '#' + room).join(',')}`));
  await client.connect();
}

main();
