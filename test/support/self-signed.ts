/**
 * An untrusted certificate for localhost (not for 127.0.0.1), valid from 2020 to 2120, and its key, which protects nothing.
 * Made by `openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost`, then
 * `openssl ca -selfsign -startdate 20200101000000Z -enddate 21200101000000Z` with subjectAltName=DNS:localhost and CA:TRUE.
 */
export const SELF_SIGNED = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBYDCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNTKowbgxTmeJOGw
d97PX89bpsQQwfzR7LjM6Swj5z072Qf39kkWif/lq9QOv04F92UpF/EtreAgCOPC
1GhAueyjSDBGMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAPBgNVHRMBAf8EBTADAQH/
MB0GA1UdDgQWBBS/OzW0NQ9IzFvZ+D0m8xq/AOaOqTAKBggqhkjOPQQDAgNHADBE
AiA8tIkwcrZh0gGoOYGmR5UXLKVeYgJzIP4H5liG7hK4TwIgDIw+NQHgH+RECj+3
6BED5s5rnM3yLuhBePY9DdmK5v0=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTxTEx4REUETV6Kf9
98/i8aQ8mBhfHQDMBpP+kZJj1lyhRANCAATUyqMG4MU5niThsHfez1/PW6bEEMH8
0ey4zOksI+c9O9kH9/ZJFon/5avUDr9OBfdlKRfxLa3gIAjjwtRoQLns
-----END PRIVATE KEY-----
`,
} as const;
