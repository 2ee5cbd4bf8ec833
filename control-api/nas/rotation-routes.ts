// The rotation of secrets: /nas/{id}/rotation, and of many at once: /nas/rotations.
import type { NasUse } from '#ops/stores/nas-edge.ts';
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { IdParams, problems, WriteQuery } from '../fields.ts';
import { NasReply } from './contract.ts';
import { edgeOrNone, oneWithEdge } from './edge.ts';
import { nasOf } from './queries.ts';
import {
  cancelRotation,
  finishRotation,
  previewRotations,
  showRotation,
  startRotation,
  startRotations,
} from './rotation.ts';
import {
  Rotated,
  RotationBody,
  RotationChoice,
  RotationEnd,
  RotationForce,
  RotationOrder,
  RotationPreview,
  RotationReply,
  RotationsReply,
} from './rotation-contract.ts';

const tags = ['nas'];

export function rotationRoutes(app: Api, deps: Deps): void {
  const { db, keyring } = deps;
  /** Undefined when it cannot be known; an access server never heard of used nothing. */
  const useOf = async (id: number): Promise<NasUse | undefined> => {
    const edge = await edgeOrNone(deps.nasEdge, [id]);
    return (
      edge &&
      (edge.uses.get(id) ?? { nasId: id, heardAtMs: 0, sinceMs: 0, current: 0, next: 0, proven: 0, unproven: 0 })
    );
  };

  app.get(
    '/nas/:id/rotation',
    {
      config: { permission: 'nas:read' },
      schema: {
        tags,
        operationId: 'nas.get_rotation',
        summary: 'How far the rotation of its secret is: which secret its requests used lately',
        params: IdParams,
        response: { 200: RotationReply, ...problems('nas_unknown') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const row = await read(db, tenantOf(request), (conn) => nasOf(conn, id));
      const use = await useOf(id);
      return showRotation(row, use, use !== undefined);
    },
  );

  app.post(
    '/nas/:id/rotation',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.start_rotation',
        summary: 'Begin a rotation: a next secret, given or made, shown this once; both verify from now on',
        params: IdParams,
        querystring: WriteQuery,
        body: RotationBody,
        response: { 201: Rotated, ...problems('nas_unknown', 'rotation_running') },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const made = await write(db, writing(request), (tx) => startRotation(tx, keyring, id, request.body?.secret));
      return reply.code(201).send(made);
    },
  );

  app.post(
    '/nas/:id/rotation/finish',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.finish_rotation',
        summary: 'End a rotation: the next secret becomes the only one, when requests came with it alone',
        params: IdParams,
        querystring: WriteQuery,
        body: RotationEnd,
        response: { 200: NasReply, ...problems('nas_unknown', 'no_next_secret', 'rotation_unproven') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const use = await useOf(id);
      const force = request.body?.force === true;
      return oneWithEdge(deps, await write(db, writing(request), (tx) => finishRotation(tx, id, use, force)));
    },
  );

  app.delete(
    '/nas/:id/rotation',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.cancel_rotation',
        summary: 'Give a rotation up: the current secret stays the only one, when no request used the next one',
        params: IdParams,
        querystring: RotationForce,
        response: { 200: NasReply, ...problems('nas_unknown', 'no_next_secret', 'rotation_unproven') },
      },
    },
    async (request) => {
      const { id } = request.params;
      const use = await useOf(id);
      const force = request.query.force === true;
      return oneWithEdge(deps, await write(db, writing(request), (tx) => cancelRotation(tx, id, use, force)));
    },
  );

  app.post(
    '/nas/rotations/preview',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.preview_rotations',
        summary: 'Which access servers a rotation of many would change; changes nothing',
        body: RotationChoice,
        response: { 200: RotationPreview, ...problems('nas_unknown') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => previewRotations(conn, request.body)),
  );

  app.post(
    '/nas/rotations',
    {
      config: { permission: 'nas:write' },
      schema: {
        tags,
        operationId: 'nas.start_rotations',
        summary: 'Begin a rotation of many, confirmed by their count: their new secrets, shown this once',
        querystring: WriteQuery,
        body: RotationOrder,
        response: { 201: RotationsReply, ...problems('nas_unknown', 'rotation_count_changed') },
      },
    },
    async (request, reply) => {
      const data = await write(db, writing(request), (tx) => startRotations(tx, keyring, request.body));
      return reply.code(201).send({ data });
    },
  );
}
