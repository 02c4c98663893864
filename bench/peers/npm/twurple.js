// twurple: its chat client over TLS; only the server's port is another.
import { ChatClient } from '@twurple/chat';
import { IrcClient } from 'ircv3';
import { host, port, rooms, write } from './shared.js';

Object.defineProperty(IrcClient.prototype, 'port', { get: () => port });
const client = new ChatClient({ channels: rooms, hostName: host, webSocket: false, botLevel: 'verified' });

function said(channel, user, text, message) {
  write({
    id: message.id,
    timestamp: message.date.getTime(),
    channel,
    user_id: message.userInfo.userId,
    login: user,
    name: message.userInfo.displayName,
    color: message.userInfo.color,
    text,
  });
}

client.onMessage(said);
client.onAction(said);
client.connect();
