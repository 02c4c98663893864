// go-twitch-irc: its client, with every message written to a file.
//
// Arguments: HOST:PORT CA_FILE ROOMS SECONDS OUTPUT. The library trusts every certificate of 127.0.0.1.
// It ends when standard input ends, or after SECONDS.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gempir/go-twitch-irc/v4"
)

type message struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Channel   string `json:"channel"`
	UserID    string `json:"user_id"`
	Login     string `json:"login"`
	Name      string `json:"name"`
	Color     string `json:"color"`
	Text      string `json:"text"`
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// connect reads until the connection ends. Some lines make the library panic: like any bot that has to stay,
// it begins anew then, and what was sent meanwhile is lost.
func connect(client *twitch.Client) (err error) {
	defer func() {
		if found := recover(); found != nil {
			err = fmt.Errorf("panic: %v", found)
		}
		time.Sleep(100 * time.Millisecond)
	}()
	return client.Connect()
}

func main() {
	rooms, err := strconv.Atoi(os.Args[3])
	check(err)
	seconds, err := strconv.Atoi(os.Args[4])
	check(err)
	file, err := os.Create(os.Args[5])
	check(err)
	output := bufio.NewWriterSize(file, 1<<16)
	encoder := json.NewEncoder(output)
	var lock sync.Mutex

	client := twitch.NewAnonymousClient()
	client.IrcAddress = os.Args[1]
	client.SetJoinRateLimiter(twitch.CreateUnlimitedRateLimiter())
	client.OnPrivateMessage(func(said twitch.PrivateMessage) {
		lock.Lock()
		defer lock.Unlock()
		check(encoder.Encode(message{
			said.ID, said.Time.UnixMilli(), said.Channel, said.User.ID, said.User.Name,
			said.User.DisplayName, said.User.Color, said.Message,
		}))
	})
	for n := 1; n <= rooms; n++ {
		client.Join("room" + strconv.Itoa(n))
	}
	go func() {
		for {
			fmt.Fprintln(os.Stderr, connect(client))
		}
	}()

	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Duration(seconds) * time.Second):
	}
	lock.Lock()
	check(output.Flush())
	os.Exit(0)
}
