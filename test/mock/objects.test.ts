import { expect, test } from 'bun:test';
import { ObjectStore } from '../../src/mock/objects.ts';

const idsOf = (objects: ObjectStore, collection: string) => objects.list(collection).map(({ id }) => id);

test('beyond the limit of objects the oldest is removed, from any collection', () => {
  const objects = new ObjectStore({ objects: 3, contentBytes: 100 });
  objects.put('/a', { id: '1' });
  objects.put('/b', { id: '1' });
  objects.put('/a', { id: '2' });
  objects.put('/a', { id: '2', changed: true });
  expect([idsOf(objects, '/a'), idsOf(objects, '/b')]).toEqual([['1', '2'], ['1']]);
  objects.put('/a', { id: '3' });
  expect([idsOf(objects, '/a'), idsOf(objects, '/b')]).toEqual([['2', '3'], ['1']]);
});

test('beyond the limit of bytes the oldest files are removed; replaced and deleted ones do not count', () => {
  const objects = new ObjectStore({ objects: 100, contentBytes: 100 });
  objects.put('/files', { id: '1' }, new Uint8Array(90));
  objects.put('/files', { id: '1' }, new Uint8Array(50));
  objects.put('/files', { id: '2' }, new Uint8Array(50));
  expect(idsOf(objects, '/files')).toEqual(['1', '2']);
  objects.delete('/files', '2');
  objects.put('/files', { id: '3' }, new Uint8Array(50));
  expect(idsOf(objects, '/files')).toEqual(['1', '3']);
  objects.put('/files', { id: '4' }, new Uint8Array(1));
  expect(idsOf(objects, '/files')).toEqual(['3', '4']);
});

test('deleting an object deletes what is below it, and nothing else', () => {
  const objects = new ObjectStore();
  objects.put('/threads', { id: 't' });
  objects.put('/threads', { id: 't2' });
  objects.put('/threads/t/messages', { id: 'm' });
  expect([objects.delete('/threads', 't'), objects.delete('/threads', 't')]).toEqual([true, false]);
  expect([idsOf(objects, '/threads'), idsOf(objects, '/threads/t/messages')]).toEqual([['t2'], []]);
});
