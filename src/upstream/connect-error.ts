/** Why there is no connection, where Bun does not say so or says something else. */

/** The code is for the log: like a system error's it names no host and no secret. */
export class ConnectError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** The proxy answered CONNECT with something else than a tunnel. The message is fit for clients. */
export class ProxyRefusal extends ConnectError {}

/**
 * Which error connect() failed with at once. Bun reports all of them as ECONNREFUSED (1.4.5). Connecting a UDP socket sends
 * nothing and looks up the same route, so it fails for the same reason; where it does not, the local ports are used up.
 */
export async function codeOfFailedConnect(address: string): Promise<string> {
  try {
    const socket = await Bun.udpSocket({ connect: { hostname: address, port: 1 } });
    socket.close();
    return 'EADDRNOTAVAIL';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? 'ECONNREFUSED');
  }
}
