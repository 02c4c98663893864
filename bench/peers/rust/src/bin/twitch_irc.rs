//! twitch-irc: its client and transport; only the server is another.

use peers::{connect, end, options, Message, Output};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use twitch_irc::login::StaticLoginCredentials;
use twitch_irc::message::{IRCMessage, ServerMessage};
use twitch_irc::transport::tcp::{MakeConnection, TCPTransport, TCPTransportConnectError};
use twitch_irc::{ClientConfig, TwitchIRCClient};

struct Simulator;

#[async_trait::async_trait]
impl MakeConnection for Simulator {
    type Socket = TlsStream<TcpStream>;

    async fn new_socket() -> Result<Self::Socket, TCPTransportConnectError> {
        Ok(connect().await?)
    }
}

/// A message that the library does not take for chat, as a tag of it is not as it expects: it is written too.
fn write_unparsed(output: &mut Output, message: &IRCMessage) {
    let tag = |name: &str| message.tags.0.get(name).map_or("", String::as_str);
    let param = |n: usize| message.params.get(n).map_or("", String::as_str);
    output.write(&Message {
        id: tag("id"),
        timestamp: tag("tmi-sent-ts").parse().unwrap_or(0),
        channel: param(0).trim_start_matches('#'),
        user_id: tag("user-id"),
        login: "",
        name: tag("display-name"),
        color: Some(tag("color")),
        text: param(1),
    });
}

fn write(output: &mut Output, message: ServerMessage) {
    if let ServerMessage::Generic(_) = &message {
        if message.source().command == "PRIVMSG" {
            write_unparsed(output, message.source());
        }
    } else if let ServerMessage::Privmsg(said) = message {
        let color = said.name_color.as_ref().map(|color| color.to_string());
        output.write(&Message {
            id: &said.message_id,
            timestamp: said.server_timestamp.timestamp_millis(),
            channel: &said.channel_login,
            user_id: &said.sender.id,
            login: &said.sender.login,
            name: &said.sender.name,
            color: color.as_deref(),
            text: &said.message_text,
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut output = Output::create();
    let config = ClientConfig::new_simple(StaticLoginCredentials::anonymous());
    let (mut messages, client) =
        TwitchIRCClient::<TCPTransport<Simulator>, StaticLoginCredentials>::new(config);
    for room in &options().rooms {
        client.join(room.clone()).expect("a room");
    }
    let end = end();
    tokio::pin!(end);
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => write(&mut output, message),
                None => break,
            },
            _ = &mut end => break,
        }
    }
    output.close();
}
