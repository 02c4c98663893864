//! Chat messages of Twitch as records, for Chatlog's hot path.
//!
//! A faster twin of `chat_record` in `chatlog/twitch/events.py`: the same bytes, or `None`, and then Python
//! decides. `tests/twitch/test_native.py` holds both to the same bytes. What is not chat, or not as Twitch
//! usually writes it, is not read here.

mod chat;
mod json;
#[cfg(feature = "python")]
mod python;
mod time;

pub use chat::{chat_record, Detail};
