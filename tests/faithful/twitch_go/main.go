// A public Twitch client against the simulator: joins rooms over TLS and prints what it understood, one
// JSON object a line. Arguments: address, seconds, rooms. The authority is in SSL_CERT_FILE.
package main

import (
	"encoding/json"
	"os"
	"strconv"
	"time"

	twitch "github.com/gempir/go-twitch-irc/v4"
)

type heard struct {
	Platform string `json:"platform"`
	Channel  string `json:"channel"`
	ID       string `json:"id"`
	Type     string `json:"type"`
	Text     string `json:"text"`
	At       int64  `json:"at"`
}

func main() {
	seconds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	lines := make(chan heard, 1000)
	client := twitch.NewAnonymousClient()
	client.IrcAddress = os.Args[1]
	client.TLS = true
	client.OnPrivateMessage(func(m twitch.PrivateMessage) {
		kind := "message"
		if m.Action {
			kind = "action"
		}
		lines <- heard{"twitch", m.Channel, m.ID, kind, m.Message, m.Time.UnixMilli()}
	})
	client.OnUserNoticeMessage(func(m twitch.UserNoticeMessage) {
		lines <- heard{"twitch", m.Channel, m.ID, "usernotice", m.Message, m.Time.UnixMilli()}
	})
	client.OnRoomStateMessage(func(m twitch.RoomStateMessage) {
		lines <- heard{"twitch", m.Channel, "", "room", m.RoomID, 0}
	})
	client.OnClearChatMessage(func(m twitch.ClearChatMessage) {
		lines <- heard{"twitch", m.Channel, "", "clearchat", m.TargetUsername, 0}
	})
	client.OnClearMessage(func(m twitch.ClearMessage) {
		lines <- heard{"twitch", m.Channel, "", "delete", m.Message, 0}
	})
	client.OnPongMessage(func(m twitch.PongMessage) {
		lines <- heard{"twitch", "", "", "pong", m.Message, 0}
	})
	client.OnSelfJoinMessage(func(m twitch.UserJoinMessage) {
		lines <- heard{"twitch", m.Channel, "", "join", "", 0}
	})
	client.Join(os.Args[3:]...)
	failed := make(chan error, 1)
	go func() { failed <- client.Connect() }()
	end := time.After(time.Duration(seconds) * time.Second)
	printer := json.NewEncoder(os.Stdout)
	printer.SetEscapeHTML(false)
	for {
		select {
		case line := <-lines:
			if err := printer.Encode(line); err != nil {
				panic(err)
			}
		case err := <-failed:
			println("connection:", err.Error())
			os.Exit(1)
		case <-end:
			return
		}
	}
}
