// A public Pusher client against the simulator: looks rooms up, subscribes, and prints what it understood,
// one JSON object a line. Arguments: port, seconds, slugs.
"use strict";

const Pusher = require("pusher-js");

const [port, seconds, ...slugs] = process.argv.slice(2);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const pusher = new Pusher("demo", {
  cluster: "",
  wsHost: "127.0.0.1",
  wsPort: Number(port),
  forceTLS: false,
  enabledTransports: ["ws"],
  disableStats: true,
  activityTimeout: 2000,
  pongTimeout: 2000,
});

pusher.connection.bind("state_change", ({ current }) => print({ platform: "kick", type: current }));
pusher.connection.bind("error", (error) => print({ platform: "kick", type: "error", text: String(error.type) }));

async function listen(slug) {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v2/channels/${slug}`);
  const { chatroom } = await answer.json();
  const channel = pusher.subscribe(`chatrooms.${chatroom.id}.v2`);
  channel.bind("pusher:subscription_succeeded", () => print({ platform: "kick", channel: slug, type: "join" }));
  channel.bind_global((event, data) => {
    if (event === "App\\Events\\ChatMessageEvent") {
      print({ platform: "kick", channel: slug, id: data.id, type: "message", text: data.content });
    } else if (!event.startsWith("pusher:")) {
      print({ platform: "kick", channel: slug, id: "", type: "other", text: event });
    }
  });
}

Promise.all(slugs.map(listen)).catch((error) => {
  console.error(error);
  process.exit(1);
});
setTimeout(() => process.exit(0), Number(seconds) * 1000);
