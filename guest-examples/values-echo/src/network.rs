//! A TCP connection through `wasi:sockets`.
//!
//! It does not use `std::net`, which on `wasm32-wasip1` fails without asking the host;
//! tests need the host's answer.

use std::net::SocketAddr;

use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// Connects and closes the connection, or returns the step that was refused.
pub(crate) fn connect(address: &str) -> Result<(), String> {
    let address: SocketAddr = address
        .parse()
        .map_err(|_| format!("{address:?} is not an address like 192.0.2.1:80 or [2001:db8::1]:80"))?;
    let refused = |step: &'static str| move |code: ErrorCode| format!("{step} {address}: {}", code.name());

    let (family, remote) = to_wasi(address);
    let socket = create_tcp_socket(family).map_err(refused("cannot create a socket for"))?;
    socket.start_connect(&instance_network(), remote).map_err(refused("cannot start to connect to"))?;
    let ready = socket.subscribe();
    loop {
        match socket.finish_connect() {
            Ok(_streams) => return Ok(()),
            Err(ErrorCode::WouldBlock) => ready.block(),
            Err(code) => return Err(refused("cannot connect to")(code)),
        }
    }
}

fn to_wasi(address: SocketAddr) -> (IpAddressFamily, IpSocketAddress) {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            let address = Ipv4SocketAddress { port: v4.port(), address: (a, b, c, d) };
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(address))
        }
        SocketAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h] = v6.ip().segments();
            let address = Ipv6SocketAddress {
                port: v6.port(),
                flow_info: v6.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: v6.scope_id(),
            };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    }
}
