// The package openai-go: `main BASE_URL API_KEY` prints the outcomes as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

type outcome struct {
	Name  string `json:"name"`
	Value any    `json:"value,omitempty"`
	Error any    `json:"error,omitempty"`
	Ms    int64  `json:"ms"`
}

func told(err error) any {
	var api *openai.Error
	if errors.As(err, &api) {
		return map[string]any{"class": "openai.Error", "status": api.StatusCode, "code": api.Code, "type": api.Type}
	}
	return map[string]any{"class": fmt.Sprintf("%T", err)}
}

func failing(status int, headers ...[2]string) option.RequestOption {
	headers = append([][2]string{}, headers...)
	failure := map[string]any{"message": fmt.Sprintf("mock %d", status), "type": "mock_error", "code": fmt.Sprintf("mock_%d", status)}
	return option.WithJSONSet("mock", map[string]any{"status": status, "headers": headers, "json": map[string]any{"error": failure}})
}

func main() {
	ctx := context.Background()
	client := openai.NewClient(option.WithBaseURL(os.Args[1]), option.WithAPIKey(os.Args[2]), option.WithMaxRetries(0))
	params := openai.ChatCompletionNewParams{
		Model:    "gpt-4o",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hello")},
	}
	chat := func(options ...option.RequestOption) (any, error) {
		answer, err := client.Chat.Completions.New(ctx, params, options...)
		if err != nil {
			return nil, err
		}
		return answer.Choices[0].Message.Content, nil
	}
	stream := func(options ...option.RequestOption) (any, error) {
		events := client.Chat.Completions.NewStreaming(ctx, params, options...)
		var texts []string
		for events.Next() {
			for _, choice := range events.Current().Choices {
				texts = append(texts, choice.Delta.Content)
			}
		}
		return texts, events.Err()
	}
	// A refusal that lasts: how long it takes with the usual retries, and what is raised.
	if len(os.Args) > 3 && os.Args[3] == "refused" {
		since := time.Now()
		_, err := chat(option.WithMaxRetries(2))
		took := time.Since(since).Seconds()
		var api *openai.Error
		if errors.As(err, &api) {
			fmt.Println(took, api.Message)
		}
		return
	}
	file := func() (any, error) {
		content := bytes.Repeat([]byte("0123456789"), 30_000)
		made, err := client.Files.New(ctx, openai.FileNewParams{File: openai.File(bytes.NewReader(content), "a.bin", "application/octet-stream"), Purpose: "user_data"})
		if err != nil {
			return nil, err
		}
		answer, err := client.Files.Content(ctx, made.ID)
		if err != nil {
			return nil, err
		}
		back, err := io.ReadAll(answer.Body)
		return bytes.Equal(back, content), err
	}
	transcription := func() (any, error) {
		answer, err := client.Audio.Transcriptions.New(ctx, openai.AudioTranscriptionNewParams{File: openai.File(bytes.NewReader(make([]byte, 70_000)), "a.mp3", "audio/mpeg"), Model: "whisper-1"})
		if err != nil {
			return nil, err
		}
		return answer.Text, nil
	}
	cut := option.WithJSONSet("mock", map[string]any{"events": 5, "fault": map[string]any{"kind": "reset", "after_bytes": 300}})
	cases := []struct {
		name string
		run  func() (any, error)
	}{
		{"chat", func() (any, error) { return chat() }},
		{"chat, streamed", func() (any, error) { return stream() }},
		{"files", file},
		{"audio, transcription", transcription},
		{"a stream cut in the middle of an event", func() (any, error) { return stream(cut) }},
		{"status 400", func() (any, error) { return chat(failing(400)) }},
		{"status 429", func() (any, error) { return chat(failing(429)) }},
		{"429 with retry-after: 2", func() (any, error) {
			return chat(failing(429, [2]string{"retry-after", "2"}), option.WithMaxRetries(1))
		}},
	}
	var outcomes []outcome
	for _, one := range cases {
		since := time.Now()
		value, err := one.run()
		result := outcome{Name: one.name, Value: value, Ms: time.Since(since).Milliseconds()}
		if err != nil {
			result.Error = told(err)
		}
		outcomes = append(outcomes, result)
	}
	json.NewEncoder(os.Stdout).Encode(outcomes)
}
