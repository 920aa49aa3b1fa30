// The heartbeat of gorilla/websocket's chat example, in an echo server. Arguments: where to listen, the time between two
// pings, and the read deadline that each pong sets anew.
package main

import (
	"log"
	"net/http"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

func main() {
	pingPeriod, pongWait := duration(os.Args[2]), duration(os.Args[3])
	upgrader := websocket.Upgrader{}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		messages := make(chan []byte)
		go write(conn, messages, pingPeriod)
		read(conn, messages, pongWait)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func duration(text string) time.Duration {
	time, err := time.ParseDuration(text)
	if err != nil {
		log.Fatal(err)
	}
	return time
}

func read(conn *websocket.Conn, messages chan []byte, pongWait time.Duration) {
	defer conn.Close()
	defer close(messages)
	conn.SetReadDeadline(time.Now().Add(pongWait))
	conn.SetPongHandler(func(string) error {
		return conn.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		messages <- message
	}
}

func write(conn *websocket.Conn, messages chan []byte, pingPeriod time.Duration) {
	ticker := time.NewTicker(pingPeriod)
	defer ticker.Stop()
	defer conn.Close()
	for {
		select {
		case message, ok := <-messages:
			if !ok {
				conn.WriteMessage(websocket.CloseMessage, []byte{})
				return
			}
			conn.WriteMessage(websocket.TextMessage, message)
		case <-ticker.C:
			if conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}
