//! Answers every request with the same text.

#[cfg(target_family = "wasm")]
mod handler {
    use wasip2::exports::http::incoming_handler::Guest;
    use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

    struct Hello;

    wasip2::http::proxy::export!(Hello);

    impl Guest for Hello {
        fn handle(_: IncomingRequest, response: ResponseOutparam) {
            let head = OutgoingResponse::new(Fields::new());
            let body = head.body();
            ResponseOutparam::set(response, Ok(head));
            let Ok(body) = body else { return };
            if let Ok(out) = body.write() {
                let _ = out.blocking_write_and_flush(b"hello, world\n");
            }
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
