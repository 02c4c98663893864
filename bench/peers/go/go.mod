module peers

go 1.21

require github.com/gempir/go-twitch-irc/v4 v4.2.0
