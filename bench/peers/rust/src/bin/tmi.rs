//! tmi: its parser and typed messages. The server of its client is fixed, so the connection is made here, and
//! read as its client does (lines of a buffered reader).

use peers::{connect, end, options, Message, Output};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

fn write(output: &mut Output, line: &str) {
    let Some(message) = tmi::IrcMessageRef::parse(line) else { return };
    if let Ok(tmi::Message::Privmsg(said)) = message.as_typed() {
        output.write(&Message {
            id: said.id(),
            timestamp: said.timestamp().timestamp_millis(),
            channel: said.channel(),
            user_id: said.sender().id(),
            login: said.sender().login(),
            name: &said.sender().name(),
            color: said.color(),
            text: said.text(),
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut output = Output::create();
    let (reader, mut writer) = tokio::io::split(connect().await.expect("a connection"));
    let mut greeting = String::from("CAP REQ :twitch.tv/commands twitch.tv/tags twitch.tv/membership\r\n");
    greeting += "PASS oauth:just_a_lil_guy\r\nNICK justinfan12345\r\n";
    for room in &options().rooms {
        greeting += &format!("JOIN #{room}\r\n");
    }
    writer.write_all(greeting.as_bytes()).await.expect("sent");
    writer.flush().await.expect("sent");
    let mut lines = BufReader::new(reader).lines();
    let end = end();
    tokio::pin!(end);
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) if line.starts_with("PING") => {
                    writer.write_all(b"PONG :tmi.twitch.tv\r\n").await.expect("sent");
                    writer.flush().await.expect("sent");
                }
                Ok(Some(line)) => write(&mut output, &line),
                _ => break,
            },
            _ = &mut end => break,
        }
    }
    output.close();
}
