package dashboard

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// A seal hides text that has to be in a URL, and would be kept there by browsers and
// proxies: what a selection says of arguments.
type seal struct{ gcm cipher.AEAD }

// newSeal returns a seal that is the process's own, or that of all processes with a token.
func newSeal(token string) seal {
	key := make([]byte, 32)
	rand.Read(key) // it never fails
	if token != "" {
		derived, err := hkdf.Key(sha256.New, []byte(token), nil, "dtask dashboard: selections", len(key))
		if err != nil {
			panic(err) // impossible: the length is right
		}
		key = derived
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // impossible: the length is right
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // impossible: AES has the right blocks
	}
	return seal{gcm}
}

func (s seal) close(text string) string {
	return base64.RawURLEncoding.EncodeToString(s.gcm.Seal(nil, nil, []byte(text), nil))
}

// open returns the text, unless somebody else has sealed it.
func (s seal) open(sealed string) (text string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return "", false
	}
	plain, err := s.gcm.Open(nil, nil, raw, nil)
	return string(plain), err == nil
}
