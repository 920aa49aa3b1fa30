// An echo server with Boost.Beast, and its timeout of idle connections. Arguments: the port, and that timeout in milliseconds.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <cstdlib>
#include <memory>

namespace beast = boost::beast;
using boost::asio::ip::tcp;
using Stream = beast::websocket::stream<beast::tcp_stream>;

struct Session : std::enable_shared_from_this<Session> {
    Stream stream;
    beast::flat_buffer buffer;

    Session(tcp::socket socket, std::chrono::milliseconds idle) : stream(std::move(socket)) {
        auto timeout = beast::websocket::stream_base::timeout::suggested(beast::role_type::server);
        timeout.idle_timeout = idle;
        timeout.keep_alive_pings = true;
        stream.set_option(timeout);
    }

    void accept() {
        stream.async_accept([self = shared_from_this()](beast::error_code error) {
            if (!error) self->read();
        });
    }

    void read() {
        stream.async_read(buffer, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (!error) self->write();
        });
    }

    void write() {
        stream.text(stream.got_text());
        stream.async_write(buffer.data(), [self = shared_from_this()](beast::error_code error, std::size_t length) {
            self->buffer.consume(length);
            if (!error) self->read();
        });
    }
};

void accept(tcp::acceptor &acceptor, std::chrono::milliseconds idle) {
    acceptor.async_accept([&acceptor, idle](beast::error_code error, tcp::socket socket) {
        if (!error) std::make_shared<Session>(std::move(socket), idle)->accept();
        accept(acceptor, idle);
    });
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    const auto port = static_cast<unsigned short>(std::atoi(arguments[1]));
    const std::chrono::milliseconds idle(std::atoi(arguments[2]));
    boost::asio::io_context context(1);
    tcp::acceptor acceptor(context, {boost::asio::ip::make_address("127.0.0.1"), port});
    accept(acceptor, idle);
    context.run();
}
