module chatlog/tests/faithful/twitch

go 1.21

require github.com/gempir/go-twitch-irc/v4 v4.4.1
