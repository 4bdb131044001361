//! A client's side of the protocol: requests in frames, and the answers to them, which come in the
//! same order. Whoever brings a [`Program`](crate::program::Program) may have it, or bring another.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use klamm_core::api::ApiKey;
use klamm_core::codec::{Message, Reader};
use klamm_core::frame::{RequestHeader, SIZE_BYTES, read_response_header, write_request};

/// The requests of one client. `T` is what an answer is to be understood by.
#[derive(Debug)]
pub struct Calls<T> {
    client_id: String,
    correlation: i32,
    input: BytesMut,
    unanswered: VecDeque<Asked<T>>,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Asked<T> {
    correlation: i32,
    key: ApiKey,
    version: i16,
    what: T,
}

/// The answer to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The API.
    pub key: ApiKey,
    /// The version of the request, and so of the answer.
    pub version: i16,
    body: Bytes,
}

impl<T> Calls<T> {
    /// Nothing was asked yet. `client_id` stands in the requests' headers.
    pub fn new(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            correlation: 0,
            input: BytesMut::new(),
            unanswered: VecDeque::new(),
        }
    }

    /// A request's frame, to be sent; its answer comes with `what`.
    pub fn ask<M: Message>(&mut self, key: ApiKey, version: i16, message: &M, what: T) -> Bytes {
        let frame = self.tell(key, version, message);
        let correlation = self.correlation;
        self.unanswered.push_back(Asked { correlation, key, version, what });
        frame
    }

    /// The frame of a request that has no answer: a Produce with acks=0.
    pub fn tell<M: Message>(&mut self, key: ApiKey, version: i16, message: &M) -> Bytes {
        self.correlation += 1;
        let (correlation_id, client_id) = (self.correlation, Some(self.client_id.clone()));
        let header =
            RequestHeader { api_key: key, api_version: version, correlation_id, client_id };
        let mut frame = BytesMut::new();
        write_request(&mut frame, &header, message);
        frame.freeze()
    }

    /// Requests that wait for an answer.
    pub fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Bytes have come: [`next_answer`](Self::next_answer) has what is whole with them.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// The next answer that is whole. An error says what no broker may send: answers that nothing
    /// was asked for, that are out of order, or that cannot be read.
    pub fn next_answer(&mut self) -> Result<Option<(T, Answer)>, String> {
        let Some(frame) = take_frame(&mut self.input) else { return Ok(None) };
        let asked = self.unanswered.pop_front().ok_or("an answer to nothing")?;
        let Asked { correlation, key, version, what } = asked;
        let api = key.api().ok_or("an API that is not served")?;
        let mut reader = Reader::new(&frame);
        let answered = read_response_header(&mut reader, api, version)
            .map_err(|error| format!("a header that cannot be read: {error}"))?;
        if answered != correlation {
            return Err(format!("answer to {answered} before that to {correlation}"));
        }
        let body = frame.slice(frame.len() - reader.remaining()..);
        Ok(Some((what, Answer { key, version, body })))
    }

    /// The connection is gone: gives what was asked and will never be answered.
    pub fn disconnected(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.input.clear();
        std::mem::take(&mut self.unanswered).into_iter().map(|asked| asked.what)
    }
}

impl Answer {
    /// Reads it; an error says what is wrong.
    pub fn read<M: Message>(&self) -> Result<M, String> {
        let mut reader = Reader::new(&self.body);
        let name = self.key.api().map_or("answer", |api| api.name);
        let read = M::read(&mut reader, self.version)
            .map_err(|error| format!("{name} {} cannot be read: {error}", self.version))?;
        match reader.remaining() {
            0 => Ok(read),
            left => Err(format!("{left} bytes behind the answer")),
        }
    }
}

/// Takes a whole frame off the front, without its size.
pub(crate) fn take_frame(input: &mut BytesMut) -> Option<Bytes> {
    let size = i32::from_be_bytes(*input.first_chunk::<SIZE_BYTES>()?).max(0) as usize;
    if input.len() < SIZE_BYTES + size {
        return None;
    }
    input.advance(SIZE_BYTES);
    Some(input.split_to(size).freeze())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use klamm_core::api::ApiKey;
    use klamm_core::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
    use klamm_core::frame::{RequestHeader, write_response};

    use super::Calls;

    fn answer(correlation_id: i32) -> BytesMut {
        let header = RequestHeader {
            api_key: ApiKey::API_VERSIONS,
            api_version: 3,
            correlation_id,
            client_id: None,
        };
        let mut wire = BytesMut::new();
        write_response(&mut wire, &header, &ApiVersionsResponse::default());
        wire
    }

    fn asked(count: i32) -> Calls<i32> {
        let mut calls = Calls::new("test");
        for number in 1..=count {
            drop(calls.ask(ApiKey::API_VERSIONS, 3, &ApiVersionsRequest::default(), number));
        }
        calls
    }

    #[test]
    fn answers_come_whole_and_in_order() {
        let mut calls = asked(2);
        let mut wire = answer(1);
        wire.extend_from_slice(&answer(2));
        for byte in &wire[..wire.len() - 1] {
            calls.receive(&[*byte]);
        }
        let (first, answer) = calls.next_answer().unwrap().unwrap();
        assert_eq!((first, answer.read()), (1, Ok(ApiVersionsResponse::default())));
        assert!(calls.next_answer().unwrap().is_none());
        calls.receive(&wire[wire.len() - 1..]);
        assert_eq!(calls.next_answer().unwrap().unwrap().0, 2);
    }

    #[test]
    fn an_answer_out_of_order_or_to_nothing_is_refused() {
        let mut calls = asked(2);
        calls.receive(&answer(2));
        assert!(calls.next_answer().is_err());
        let mut calls = asked(0);
        calls.receive(&answer(1));
        assert!(calls.next_answer().is_err());
    }

    #[test]
    fn a_lost_connection_gives_back_what_was_asked() {
        let mut calls = asked(3);
        calls.receive(&answer(1)[..5]);
        assert_eq!(calls.disconnected().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(calls.unanswered(), 0);
        assert!(calls.next_answer().unwrap().is_none());
    }
}
