/** The routes of client keys. */
import { Elysia } from 'elysia';
import { graceSecondsFrom, keyChangesFrom, newKeyFrom } from './key-body.ts';
import { keysParametersFrom } from './key-parameters.ts';
import type { KeyService } from './key-service.ts';
import { type AdminRequests, UNREAD } from './request.ts';

export function keyRoutes(service: KeyService, { readBody, readOptionalBody, callerOf }: AdminRequests) {
  return new Elysia()
    .get('/api-keys', async ({ request }) => {
      const { after, ...query } = keysParametersFrom(request.url);
      return Response.json(await service.list({ ...query, ...(after && { after: await service.cursor(after) }) }));
    })
    .post(
      '/api-keys',
      async ({ request }) => {
        const wanted = newKeyFrom(await readBody(request));
        return Response.json(await service.create(wanted, callerOf(request)), { status: 201 });
      },
      UNREAD,
    )
    .get('/api-keys/:id', async ({ params }) => Response.json(await service.get(params.id)))
    .patch(
      '/api-keys/:id',
      async ({ params, request }) => {
        const changes = keyChangesFrom(await readBody(request));
        return Response.json(await service.update(params.id, changes, callerOf(request)));
      },
      UNREAD,
    )
    .delete(
      '/api-keys/:id',
      async ({ params, request }) => {
        await service.remove(params.id, callerOf(request));
        return new Response(null, { status: 204 });
      },
      UNREAD,
    )
    .post('/api-keys/:id/revoke', ({ params, request }) => setStatus(params.id, 'revoke', request), UNREAD)
    .post('/api-keys/:id/suspend', ({ params, request }) => setStatus(params.id, 'suspend', request), UNREAD)
    .post('/api-keys/:id/activate', ({ params, request }) => setStatus(params.id, 'activate', request), UNREAD)
    .post(
      '/api-keys/:id/rotate',
      async ({ params, request }) => {
        const graceS = graceSecondsFrom(await readOptionalBody(request));
        return Response.json(await service.rotate(params.id, graceS, callerOf(request)));
      },
      UNREAD,
    );

  async function setStatus(id: string, action: 'revoke' | 'suspend' | 'activate', request: Request) {
    return Response.json(await service.setStatus(id, action, callerOf(request)));
  }
}
