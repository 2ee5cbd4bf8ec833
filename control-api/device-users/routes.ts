// Staff who log in to routers, switches and access nodes over RADIUS: /device-users.
import { type Api, tenantOf, writing } from '../api.ts';
import { read } from '../database/read.ts';
import { write } from '../database/write.ts';
import type { Deps } from '../deps.ts';
import { Empty, IdParams, problems, WriteQuery } from '../fields.ts';
import { changeDeviceUser, createDeviceUser, removeDeviceUser, setPassword } from './commands.ts';
import {
  DeviceUserBody,
  DeviceUserChange,
  DeviceUserQuery,
  DeviceUserReply,
  DeviceUsersReply,
  DeviceUserWithPassword,
  PasswordBody,
} from './contract.ts';
import { newPassword } from './passwords.ts';
import { listDeviceUsers, showDeviceUser } from './queries.ts';

const tags = ['device users'];

export function deviceUserRoutes(app: Api, { db, keyring }: Deps): void {
  app.get(
    '/device-users',
    {
      config: { permission: 'device_users:read' },
      schema: {
        tags,
        operationId: 'device_users.list',
        summary: 'List the staff who may log in to network devices',
        querystring: DeviceUserQuery,
        response: { 200: DeviceUsersReply, ...problems('invalid_cursor', 'page_too_deep') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => listDeviceUsers(conn, request.query)),
  );

  app.post(
    '/device-users',
    {
      // Not idempotent: an answer that is kept would keep the password.
      config: { permission: 'device_users:write' },
      schema: {
        tags,
        operationId: 'device_users.create',
        summary: 'Let somebody log in to network devices; without a password one is made and shown this once',
        querystring: WriteQuery,
        body: DeviceUserBody,
        response: {
          201: DeviceUserWithPassword,
          ...problems('device_user_name_taken', 'reference_unknown', 'password_scheme_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const password = await newPassword(request.body);
      const made = await write(db, writing(request), (tx) => createDeviceUser(tx, keyring, request.body, password));
      return reply.code(201).send(made);
    },
  );

  app.get(
    '/device-users/:id',
    {
      config: { permission: 'device_users:read' },
      schema: {
        tags,
        operationId: 'device_users.get',
        summary: 'One device user',
        params: IdParams,
        response: { 200: DeviceUserReply, ...problems('device_user_unknown') },
      },
    },
    (request) => read(db, tenantOf(request), (conn) => showDeviceUser(conn, request.params.id)),
  );

  app.patch(
    '/device-users/:id',
    {
      config: { permission: 'device_users:write' },
      schema: {
        tags,
        operationId: 'device_users.update',
        summary: 'Change what a device user may do, where and until when; enabled false shuts it out at once',
        params: IdParams,
        querystring: WriteQuery,
        body: DeviceUserChange,
        response: { 200: DeviceUserReply, ...problems('device_user_unknown', 'reference_unknown') },
      },
    },
    (request) => write(db, writing(request), (tx) => changeDeviceUser(tx, request.params.id, request.body)),
  );

  app.post(
    '/device-users/:id/password',
    {
      config: { permission: 'device_users:write' },
      schema: {
        tags,
        operationId: 'device_users.set_password',
        summary: 'Set the password of a device user; without one it is made and shown this once',
        params: IdParams,
        querystring: WriteQuery,
        body: PasswordBody,
        response: {
          200: DeviceUserWithPassword,
          ...problems('device_user_unknown', 'password_scheme_unavailable'),
        },
      },
    },
    async (request) => {
      const password = await newPassword(request.body ?? {});
      return write(db, writing(request), (tx) => setPassword(tx, keyring, request.params.id, password));
    },
  );

  app.delete(
    '/device-users/:id',
    {
      config: { permission: 'device_users:write' },
      schema: {
        tags,
        operationId: 'device_users.delete',
        summary: 'Remove a device user: out at once, also at the edge',
        params: IdParams,
        querystring: WriteQuery,
        response: { 204: Empty, ...problems('device_user_unknown') },
      },
    },
    async (request, reply) => {
      await write(db, writing(request), (tx) => removeDeviceUser(tx, request.params.id));
      return reply.code(204).send(null);
    },
  );
}
