import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK, SignJWT } from 'jose';

interface Issued {
  challenge: string;
  nonce: string;
  redirectUri: string;
}

/** How the id token differs from a valid token. */
export interface Wrong {
  claims?: Record<string, unknown>;
  alg?: 'HS256' | 'none' | 'forged';
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A small identity provider on loopback. It follows the rules, except where `wrong` deviates. */
export class Provider {
  readonly #server: Server;
  readonly #codes = new Map<string, Issued>();
  #key = generateKeyPairSync('rsa', { modulusLength: 2048 });
  #kid = 'first';
  issuer = '';
  claims: Record<string, unknown> = {};
  userinfo: Record<string, unknown> | undefined;
  wrong: Wrong = {};
  isDown = false;
  asked: string[] = [];

  constructor() {
    this.#server = createServer((request, answer) => {
      const parts: Buffer[] = [];
      request.on('data', (one: Buffer) => parts.push(one));
      request.on('end', () => {
        const path = new URL(request.url!, this.issuer).pathname;
        this.asked.push(path);
        if (path === '/authorize') {
          // The person agrees immediately.
          const back = new URL(new URL(request.url!, this.issuer).searchParams.get('redirect_uri')!);
          back.search = this.login(new URL(request.url!, this.issuer).href).toString();
          return void answer.writeHead(302, { location: back.href }).end();
        }
        const body = new URLSearchParams(Buffer.concat(parts).toString());
        const work = this.isDown ? Promise.resolve([503, {}] as const) : this.#answer(path, body, request.headers);
        void work.then(([status, json]) => {
          answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
        });
      });
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.issuer = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** Replaces the signing key. */
  rotate(): void {
    this.#key = generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.#kid = randomUUID();
  }

  /**
   * Logs a person in at the address to which the browser was redirected. Returns the query with which the browser
   * returns.
   */
  login(address: string): URLSearchParams {
    const { searchParams: query } = new URL(address);
    const code = randomUUID();
    this.#codes.set(code, {
      challenge: query.get('code_challenge')!,
      nonce: query.get('nonce')!,
      redirectUri: query.get('redirect_uri')!,
    });
    return new URLSearchParams({ code, state: query.get('state')!, iss: this.issuer });
  }

  async #answer(
    path: string,
    body: URLSearchParams,
    headers: { authorization?: string },
  ): Promise<readonly [number, object]> {
    const at = (name: string) => `${this.issuer}/${name}`;
    if (path === '/.well-known/openid-configuration') {
      const endpoints = { authorization_endpoint: at('authorize'), token_endpoint: at('token'), jwks_uri: at('jwks') };
      const userinfo = this.userinfo && { userinfo_endpoint: at('userinfo') };
      const issParameter = { authorization_response_iss_parameter_supported: true };
      return [200, { issuer: this.issuer, ...endpoints, ...userinfo, ...issParameter }];
    }
    if (path === '/jwks') {
      const jwk: JWK = await exportJWK(this.#key.publicKey);
      return [200, { keys: [{ ...jwk, kid: this.#kid, use: 'sig' }] }];
    }
    if (path === '/userinfo') return [200, { sub: 'ana', ...this.userinfo }];
    const issued = this.#codes.get(body.get('code') ?? '');
    this.#codes.delete(body.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(body.get('code_verifier') ?? '')
      .digest('base64url');
    const secret = `Basic ${Buffer.from('tasker:hush').toString('base64')}`;
    const isRight =
      issued?.challenge === challenge &&
      issued.redirectUri === body.get('redirect_uri') &&
      headers.authorization === secret;
    if (!isRight) return [400, { error: 'invalid_grant' }];
    return [200, { access_token: 'at', token_type: 'bearer', id_token: await this.#idToken(issued.nonce) }];
  }

  async #idToken(nonce: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const same = { sub: 'ana', iss: this.issuer, aud: 'tasker', iat: now, exp: now + 300, nonce };
    const claims = { ...same, ...this.claims, ...this.wrong.claims };
    const { alg } = this.wrong;
    if (alg === 'none') return `${part({ alg })}.${part(claims)}.`;
    if (alg === 'HS256') {
      const text = `${part({ alg, kid: this.#kid })}.${part(claims)}`;
      const pem = this.#key.publicKey.export({ type: 'spki', format: 'pem' });
      return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
    }
    const other: KeyObject = generateOther();
    const key = alg === 'forged' ? other : this.#key.privateKey;
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: this.#kid }).sign(key);
  }
}

let other: KeyObject | undefined;
function generateOther(): KeyObject {
  other ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return other;
}
