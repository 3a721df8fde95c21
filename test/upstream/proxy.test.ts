import { describe, expect, test } from 'bun:test';
import { proxyFor } from '../../src/upstream/proxy.ts';

const variables = (proxy: string, noProxy?: string) => ({ httpProxy: proxy, httpsProxy: proxy, noProxy });
const viaProxy = (url: string, noProxy: string) =>
  proxyFor(new URL(url), variables('http://proxy:3128', noProxy)) !== null;

describe('the proxy of an upstream', () => {
  test('is HTTPS_PROXY for https:// and HTTP_PROXY for http://, and none when that is not set', () => {
    const both = { httpProxy: 'http://plain:1', httpsProxy: 'http://secure:2', noProxy: undefined };
    expect(proxyFor(new URL('http://a.example'), both)).toMatchObject({ hostname: 'plain', port: 1 });
    expect(proxyFor(new URL('https://a.example'), both)).toMatchObject({ hostname: 'secure', port: 2 });
    expect(proxyFor(new URL('http://a.example'), { ...both, httpProxy: undefined })).toBeNull();
    expect(proxyFor(new URL('https://a.example'), { ...both, httpsProxy: undefined })).toBeNull();
  });

  test('is used for this machine, too', () => {
    expect(viaProxy('http://127.0.0.1:8000', '')).toBe(true);
    expect(viaProxy('http://localhost', '')).toBe(true);
  });

  test.each([
    ['http://proxy:3128', { hostname: 'proxy', port: 3128, secure: false, authorization: null }],
    ['proxy:3128', { hostname: 'proxy', port: 3128, secure: false }],
    ['http://proxy', { port: 80 }],
    ['https://proxy', { port: 443, secure: true }],
    ['http://[::1]:8080/', { hostname: '::1', port: 8080 }],
    ['http://user:pass@proxy', { authorization: `Basic ${btoa('user:pass')}` }],
    ['http://user@proxy', { authorization: `Basic ${btoa('user:')}` }],
    ['user:p%40%3Ass@proxy:1', { hostname: 'proxy', authorization: `Basic ${btoa('user:p@:ss')}` }],
    ['http://us%C3%A9r:x@proxy', { authorization: `Basic ${Buffer.from('usér:x').toString('base64')}` }],
  ])('%s', (value, expected) => {
    expect(proxyFor(new URL('http://upstream.example'), variables(value))).toMatchObject(expected);
  });

  test.each([
    ['socks5://user:hunter2@proxy:1080', 'HTTPS_PROXY must be an http:// or https:// URL'],
    ['http://', 'HTTPS_PROXY must be a URL'],
    ['http://user:hunter2@proxy:99999', 'HTTPS_PROXY must be a URL'],
    ['http://user:hunter2%zz@proxy', 'HTTPS_PROXY has a user name or password with a bad %-escape'],
  ])('%s is refused by its name, and its password is not shown', (value, complaint) => {
    const attempt = () => proxyFor(new URL('https://upstream.example'), variables(value));
    expect(attempt).toThrow(complaint);
    expect(attempt).not.toThrow('hunter2');
  });
});

describe('NO_PROXY', () => {
  test.each([
    ['*', 'http://anything.example', true],
    ['example.com', 'http://example.com', true],
    ['example.com', 'http://api.example.com', true],
    ['example.com', 'http://notexample.com', false],
    ['example.com', 'http://example.com.evil.test', false],
    ['.example.com', 'http://api.example.com', true],
    ['.example.com', 'http://example.com', true],
    ['*.example.com', 'http://api.example.com', true],
    ['EXAMPLE.com', 'http://Api.Example.COM', true],
    ['example.com.', 'http://api.example.com', true],
    ['example.com', 'http://api.example.com.', true],
    ['other.test, example.com', 'http://example.com', true],
    ['other.test example.com', 'http://example.com', true],
    [' ,, ', 'http://example.com', false],
    ['.', 'http://example.com', false],
    ['com', 'http://example.com', true],
    ['example.com:8080', 'http://example.com:8080', true],
    ['example.com:8080', 'http://example.com', false],
    ['example.com:443', 'https://example.com', true],
    ['example.com:80', 'https://example.com', false],
    ['127.0.0.1', 'http://127.0.0.1:8000', true],
    ['127.0.0.1:8000', 'http://127.0.0.1:8000', true],
    ['127.0.0.1:8001', 'http://127.0.0.1:8000', false],
    ['27.0.0.1', 'http://127.0.0.1', false],
    ['10.0.0.0/8', 'http://10.200.3.4', true],
    ['10.0.0.0/8', 'http://11.0.0.1', false],
    ['10.0.0.0/8', 'http://ten.example', false],
    ['192.168.1.128/25', 'http://192.168.1.200', true],
    ['192.168.1.128/25', 'http://192.168.1.100', false],
    ['0.0.0.0/0', 'http://8.8.8.8', true],
    ['10.0.0.0/33', 'http://10.0.0.1', false],
    ['10.0.0.0/x', 'http://10.0.0.1', false],
    ['::1', 'http://[::1]:9', true],
    ['[::1]', 'http://[::1]:9', true],
    ['[::1]:9', 'http://[::1]:9', true],
    ['[::1]:8', 'http://[::1]:9', false],
    ['0:0:0:0:0:0:0:1', 'http://[::1]', true],
    ['fe80::/10', 'http://[fe80::1234]', true],
    ['fe80::/10', 'http://[fec0::1]', false],
    ['[2001:db8::]/32', 'http://[2001:db8:1::5]', true],
    ['10.0.0.0/8', 'http://[::ffff:10.0.0.1]', false],
  ])('%j and %s: direct %j', (noProxy, url, direct) => {
    expect(viaProxy(url, noProxy)).toBe(!direct);
  });
});
