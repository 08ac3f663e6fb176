// dex on loopback, with everything in its memory, put together as `dex serve` does it.
//
// The one argument is JSON: {port, client: {id, secret, redirect_uri}, challenge}. Its codes are made where it
// keeps them: POST /mint/codes?count=N answers with one a line, each for another person.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/AppsFlyer/go-sundheit"
	"github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/server/tokens"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/dexidp/dex/web"
)

const (
	connectorID = "mock"
	life        = 15 * time.Minute
)

type settings struct {
	Port   int
	Client struct {
		ID, Secret  string
		RedirectURI string `json:"redirect_uri"`
	}
	Challenge string
}

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	ctx, logger := context.Background(), slog.New(slog.NewTextHandler(os.Stderr, nil))
	var wanted settings
	if err := json.Unmarshal([]byte(os.Args[1]), &wanted); err != nil {
		return err
	}
	store := memory.New(logger)
	if err := fill(ctx, store, wanted); err != nil {
		return err
	}
	keys := signer.LocalConfig{KeysRotationPeriod: "6h", Algorithm: jose.ES256}
	signing, err := keys.Open(ctx, store, life, time.Now, logger)
	if err != nil {
		return err
	}
	refreshing, err := tokens.NewRefreshTokenPolicy(logger, false, "24h", "", "3s")
	if err != nil {
		return err
	}
	address := fmt.Sprintf("127.0.0.1:%d", wanted.Port)
	dex, err := server.NewServer(ctx, server.Config{
		Issuer:             "http://" + address,
		Storage:            store,
		Signer:             signing,
		IDTokensValidFor:   life,
		RefreshTokenPolicy: refreshing,
		SkipApprovalScreen: true,
		Web:                server.WebConfig{WebFS: web.FS()},
		Logger:             logger,
		PrometheusRegistry: prometheus.NewRegistry(),
		HealthChecker:      gosundheit.New(),
	})
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.Handle("/", dex)
	routes.HandleFunc("POST /mint/codes", func(answer http.ResponseWriter, request *http.Request) {
		if err := mint(answer, request, store, wanted); err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
		}
	})
	return http.ListenAndServe(address, routes)
}

func fill(ctx context.Context, store storage.Storage, wanted settings) error {
	client := storage.Client{
		ID: wanted.Client.ID, Secret: wanted.Client.Secret, RedirectURIs: []string{wanted.Client.RedirectURI},
	}
	connector := storage.Connector{ID: connectorID, Type: "mockCallback", Name: "Mock", Config: []byte("{}")}
	if err := store.CreateClient(ctx, client); err != nil {
		return err
	}
	return store.CreateConnector(ctx, connector)
}

func mint(answer http.ResponseWriter, request *http.Request, store storage.Storage, wanted settings) error {
	count, err := strconv.Atoi(request.URL.Query().Get("count"))
	if err != nil {
		return err
	}
	for range count {
		code, person, now := rand.Text(), rand.Text(), time.Now()
		if err := store.CreateAuthCode(request.Context(), storage.AuthCode{
			ID:          code,
			ClientID:    wanted.Client.ID,
			RedirectURI: wanted.Client.RedirectURI,
			Scopes:      []string{"openid", "offline_access"},
			ConnectorID: connectorID,
			Claims:      storage.Claims{UserID: person, Username: "Person " + person, Email: person + "@example.com"},
			Expiry:      now.Add(time.Hour),
			AuthTime:    now,
			PKCE:        storage.PKCE{CodeChallenge: wanted.Challenge, CodeChallengeMethod: "S256"},
		}); err != nil {
			return err
		}
		fmt.Fprintln(answer, code)
	}
	return nil
}
