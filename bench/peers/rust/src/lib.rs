//! What both programs share: the command line, TLS, the file, and the end of standard input as the end.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerName};
use tokio_rustls::TlsConnector;

/// `HOST:PORT CA_FILE ROOMS SECONDS OUTPUT`, as given on the command line.
pub struct Options {
    pub address: String,
    pub ca: String,
    pub rooms: Vec<String>,
    pub seconds: u64,
    pub output: String,
}

/// The options. Panics if they are not complete.
pub fn options() -> &'static Options {
    static OPTIONS: OnceLock<Options> = OnceLock::new();
    OPTIONS.get_or_init(|| {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let rooms: usize = given[2].parse().expect("a number of rooms");
        Options {
            address: given[0].clone(),
            ca: given[1].clone(),
            rooms: (1..=rooms).map(|n| format!("room{n}")).collect(),
            seconds: given[3].parse().expect("a number of seconds"),
            output: given[4].clone(),
        }
    })
}

/// A TLS connection to the server; only the given authority is trusted.
pub async fn connect() -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let mut pem = BufReader::new(File::open(&options().ca)?);
    roots.add_parsable_certificates(&rustls_pemfile::certs(&mut pem)?);
    let config = ClientConfig::builder()
        .with_safe_defaults()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let socket = TcpStream::connect(&options().address).await?;
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// Done when standard input ends, or after the most seconds.
pub async fn end() {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    let _ = tokio::time::timeout(Duration::from_secs(options().seconds), told).await;
}

/// A message, as it is written.
#[derive(Serialize)]
pub struct Message<'a> {
    pub id: &'a str,
    pub timestamp: i64,
    pub channel: &'a str,
    pub user_id: &'a str,
    pub login: &'a str,
    pub name: &'a str,
    pub color: Option<&'a str>,
    pub text: &'a str,
}

/// The file of messages, one JSON object a line.
pub struct Output(BufWriter<File>);

impl Output {
    pub fn create() -> Self {
        Self(BufWriter::with_capacity(1 << 16, File::create(&options().output).expect("a file")))
    }

    pub fn write(&mut self, message: &Message) {
        serde_json::to_writer(&mut self.0, message).expect("written");
        self.0.write_all(b"\n").expect("written");
    }

    pub fn close(mut self) {
        self.0.flush().expect("written");
    }
}
