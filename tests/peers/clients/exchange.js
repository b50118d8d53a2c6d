// ews-javascript-api: reads jobs, a line of JSON each, plays the scenario that each names, and prints what it saw, step by step, on a line.
'use strict';

const readline = require('node:readline');
const ews = require('ews-javascript-api');

let job;
let outcomes;
const note = (what, value) => outcomes.push([what, typeof value === 'string' ? value : JSON.stringify(value)]);

function connect(user = job.user, secret = job.secret) {
  const service = new ews.ExchangeService(ews.ExchangeVersion[job.version || 'Exchange2013_SP1'], ews.TimeZoneInfo.Utc);
  service.Credentials = new ews.WebCredentials(user, secret);
  service.Url = new ews.Uri(job.url);
  return service;
}

// the library writes text as it is given
const escaped = (markup) => markup.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

// what a call comes to: "done", or the name of its error
async function refused(what, call) {
  try {
    await call();
    note(what, 'done');
  } catch (error) {
    const code = error.ErrorCode;
    note(what, code ? ews.ServiceError[code] : String((error && error.message) || error));
  }
}

const inbox = ews.WellKnownFolderName.Inbox;
const whole = new ews.PropertySet(ews.BasePropertySet.FirstClassProperties);
const text = (body) => new ews.MessageBody(ews.BodyType.Text, body);

async function only(service, folder, subject, view = new ews.ItemView(10)) {
  const found = await service.FindItems(folder, new ews.SearchFilter.IsEqualTo(ews.ItemSchema.Subject, subject), view);
  return found.Items[0];
}

const scenarios = {
  async login() {
    await refused('wrong', () => ews.Folder.Bind(connect(job.user, 'guess'), inbox));
    const folder = await ews.Folder.Bind(connect(), inbox);
    note('folder', folder.DisplayName);
    note('version', String(folder.Service.ServerInfo.MajorVersion));
  },

  async mail() {
    const service = connect();
    const message = new ews.EmailMessage(service);
    message.Subject = 'hello';
    message.Body = new ews.MessageBody(ews.BodyType.HTML, escaped('<p>caf\u00e9 &amp; <b>more</b></p>'));
    message.ToRecipients.Add(job.other);
    message.CcRecipients.Add('Carl', 'carl@out.test');
    message.Importance = ews.Importance.High;
    message.Categories.Add('red');
    message.Attachments.AddFileAttachment('a.txt', Buffer.from('text of it').toString('base64'));
    await message.Save(ews.WellKnownFolderName.Drafts);
    note('saved', Boolean(message.Id.UniqueId));
    await message.SendAndSaveCopy();

    const other = connect(job.other);
    const found = await only(other, inbox, 'hello');
    const got = await ews.EmailMessage.Bind(other, found.Id, whole);
    await got.Load(whole);
    note('from', got.From.Address);
    note('to', got.ToRecipients.GetEnumerator().map((one) => one.Address));
    note('cc', got.CcRecipients.GetEnumerator().map((one) => one.Name));
    note('importance', ews.Importance[got.Importance]);
    note('read', got.IsRead);
    note('draft', got.IsDraft);
    note('body', got.Body.Text.includes('<b>more</b>'));
    const file = got.Attachments.Items[0];
    await file.Load();
    note('attachment', [file.Name, Buffer.from(file.Base64Content, 'base64').toString()]);
    note('sent', (await service.FindItems(ews.WellKnownFolderName.SentItems, new ews.ItemView(10))).TotalCount);

    await got.Reply(text('yes'), false);
    note('reply', (await only(service, inbox, 'RE: hello')).Subject);
    await got.Forward(text('look'), [new ews.EmailAddress(job.user)]);
    note('forward', (await only(service, inbox, 'FW: hello')).Subject);

    got.IsRead = true;
    got.Subject = 'changed';
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    const again = await ews.EmailMessage.Bind(other, got.Id, whole);
    note('changed', [again.Subject, again.IsRead]);
    const copy = await again.Copy(ews.WellKnownFolderName.JunkEmail);
    note('copied', copy.Id.UniqueId !== again.Id.UniqueId);
    const moved = await again.Move(ews.WellKnownFolderName.DeletedItems);
    await refused('old id', () => ews.Item.Bind(other, again.Id));
    await moved.Delete(ews.DeleteMode.HardDelete);
    await refused('deleted', () => ews.Item.Bind(other, moved.Id));
  },

  async mime() {
    const service = connect();
    const found = await only(service, inbox, 'octets');
    const message = await ews.EmailMessage.Bind(service, found.Id, new ews.PropertySet(ews.BasePropertySet.IdOnly, [ews.ItemSchema.MimeContent]));
    note('mime', message.MimeContent.Base64Content || message.MimeContent.Content);
  },

  async unescaped() {
    const message = new ews.EmailMessage(connect());
    message.Body = new ews.MessageBody('<p>more</p>');
    await refused('body', () => message.Save(ews.WellKnownFolderName.Drafts));
  },

  async queries() {
    const service = connect();
    for (let number = 0; number < 7; number += 1) {
      const message = new ews.EmailMessage(service);
      message.Subject = `item ${number}`;
      message.Importance = number % 2 ? ews.Importance.High : ews.Importance.Normal;
      await message.Save(inbox);
    }
    const view = new ews.ItemView(3);
    view.OrderBy.Add(ews.ItemSchema.Subject, ews.SortDirection.Descending);
    const pages = [];
    for (;;) {
      const page = await service.FindItems(inbox, view);
      pages.push(page.Items.map((item) => item.Subject));
      if (!page.MoreAvailable) break;
      view.Offset = page.NextPageOffset;
    }
    note('pages', pages);
    const both = new ews.SearchFilter.SearchFilterCollection(ews.LogicalOperator.And, [
      new ews.SearchFilter.ContainsSubstring(ews.ItemSchema.Subject, 'item'),
      new ews.SearchFilter.IsEqualTo(ews.ItemSchema.Importance, 'High'),
    ]);
    note('filtered', (await service.FindItems(inbox, both, new ews.ItemView(10))).TotalCount);
    note('query', (await service.FindItems(inbox, 'subject:"item 3"', new ews.ItemView(10))).TotalCount);
    const groups = await service.FindItems(inbox, new ews.ItemView(10), new ews.Grouping(ews.ItemSchema.Importance, ews.SortDirection.Ascending, ews.ItemSchema.DateTimeCreated, ews.AggregateType.Maximum));
    note('groups', groups.ItemGroups.map((group) => group.Items.length).sort());
    const items = (await service.FindItems(inbox, new ews.ItemView(2))).Items;
    const loaded = await service.LoadPropertiesForItems(items, whole);
    note('loaded', loaded.Responses.map((one) => ews.ServiceResult[one.Result]));
  },

  async folders() {
    const service = connect();
    const folder = new ews.Folder(service);
    folder.DisplayName = 'Orders';
    await folder.Save(inbox);
    note('made', Boolean(folder.Id.UniqueId));
    await refused('again', async () => {
      const twin = new ews.Folder(service);
      twin.DisplayName = 'orders';
      await twin.Save(inbox);
    });
    folder.DisplayName = 'Bills';
    await folder.Update();
    const list = async (where) => (await service.FindFolders(where, new ews.FolderView(50))).Folders.map((one) => one.DisplayName);
    note('listed', await list(inbox));
    const bound = await ews.Folder.Bind(service, folder.Id);
    const moved = await bound.Move(ews.WellKnownFolderName.MsgFolderRoot);
    note('moved', [moved.Id.UniqueId === folder.Id.UniqueId, (await list(inbox)).length]);
    const message = new ews.EmailMessage(service);
    message.Subject = 'inside';
    await message.Save(moved.Id);
    const counted = await ews.Folder.Bind(service, moved.Id);
    note('count', counted.TotalCount);
    await counted.Empty(ews.DeleteMode.HardDelete, true);
    note('emptied', (await ews.Folder.Bind(service, moved.Id)).TotalCount);
    await counted.Delete(ews.DeleteMode.HardDelete);
    await refused('gone', () => ews.Folder.Bind(service, moved.Id));
    await refused('well known', async () => (await ews.Folder.Bind(service, inbox)).Delete(ews.DeleteMode.HardDelete));
  },

  async sync() {
    const service = connect();
    const all = await service.SyncFolderHierarchy(null, new ews.PropertySet(ews.BasePropertySet.FirstClassProperties), '');
    note('folders', all.GetEnumerator().some((change) => change.Folder.DisplayName === 'Inbox'));
    const first = await service.SyncFolderItems(new ews.FolderId(inbox), new ews.PropertySet(ews.BasePropertySet.IdOnly), [], 100, ews.SyncFolderItemsScope.NormalItems, '');
    note('first', first.Count);
    const message = new ews.EmailMessage(service);
    message.Subject = 'new';
    await message.Save(inbox);
    const second = await service.SyncFolderItems(new ews.FolderId(inbox), whole, [], 100, ews.SyncFolderItemsScope.NormalItems, first.SyncState);
    note('second', second.GetEnumerator().map((change) => [ews.ChangeType[change.ChangeType], change.Item.Subject]));
    message.IsRead = !second.GetEnumerator()[0].Item.IsRead;
    await message.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    const third = await service.SyncFolderItems(new ews.FolderId(inbox), whole, [], 100, ews.SyncFolderItemsScope.NormalItems, second.SyncState);
    note('third', third.GetEnumerator().map((change) => ews.ChangeType[change.ChangeType]));
    await refused('nonsense', () => service.SyncFolderItems(new ews.FolderId(inbox), whole, [], 100, ews.SyncFolderItemsScope.NormalItems, 'bm9uc2Vuc2U='));
  },

  async calendar() {
    const service = connect();
    const event = new ews.Appointment(service);
    event.Subject = 'review';
    event.Body = text('come');
    event.Location = 'here';
    event.Start = new ews.DateTime('2027-03-01T09:00:00Z');
    event.End = new ews.DateTime('2027-03-01T10:00:00Z');
    event.RequiredAttendees.Add(job.other);
    await event.Save(ews.SendInvitationsMode.SendToAllAndSaveCopy);
    const other = connect(job.other);
    const request = await ews.MeetingRequest.Bind(other, (await only(other, inbox, 'review')).Id);
    note('request', [request.constructor.name, request.Location, request.Start.ToUniversalTime().Format('YYYY-MM-DD HH:mm')]);
    await request.Accept(true);
    const window = new ews.CalendarView(new ews.DateTime('2027-02-28T00:00:00Z'), new ews.DateTime('2027-03-30T00:00:00Z'));
    const theirs = (await other.FindAppointments(ews.WellKnownFolderName.Calendar, window)).Items;
    note('accepted', theirs.map((one) => ews.MeetingResponseType[one.MyResponseType]));
    const own = await ews.Appointment.Bind(service, event.Id, whole);
    note('answers', own.RequiredAttendees.Items.map((one) => [one.Address, ews.MeetingResponseType[one.ResponseType]]));
    await own.CancelMeeting('never mind');
    note('cancelled', (await other.FindItems(inbox, new ews.ItemView(10))).Items.map((item) => item.ItemClass));

    const series = new ews.Appointment(service);
    series.Subject = 'weekly';
    series.Start = new ews.DateTime('2027-03-02T09:00:00Z');
    series.End = new ews.DateTime('2027-03-02T10:00:00Z');
    series.Recurrence = new ews.Recurrence.WeeklyPattern(series.Start, 1, [ews.DayOfTheWeek.Tuesday]);
    series.Recurrence.NumberOfOccurrences = 4;
    await series.Save(ews.SendInvitationsMode.SendToNone);
    const seen = async () => (await service.FindAppointments(ews.WellKnownFolderName.Calendar, window)).Items.filter((one) => one.Subject.startsWith('weekly'));
    note('occurrences', (await seen()).length);
    const second = await ews.Appointment.BindToOccurrence(service, series.Id, 2);
    second.Subject = 'weekly, moved';
    await second.Update(ews.ConflictResolutionMode.AlwaysOverwrite, ews.SendInvitationsOrCancellationsMode.SendToNone);
    const third = await ews.Appointment.BindToOccurrence(service, series.Id, 3);
    await third.Delete(ews.DeleteMode.HardDelete, ews.SendCancellationsMode.SendToNone);
    note('exceptions', (await seen()).map((one) => [one.Subject, ews.AppointmentType[one.AppointmentType]]));
    const master = await ews.Appointment.BindToRecurringMaster(service, (await seen())[0].Id);
    note('master', ews.AppointmentType[master.AppointmentType]);
  },

  async contacts() {
    const service = connect();
    const card = new ews.Contact(service);
    card.GivenName = 'Carl';
    card.Surname = 'Cedar';
    card.FileAs = 'Cedar, Carl';
    card.CompanyName = 'Cedar and Sons';
    card.EmailAddresses._setItem(ews.EmailAddressKey.EmailAddress1, new ews.EmailAddress('Carl', 'carl@cedar.test'));
    card.PhoneNumbers._setItem(ews.PhoneNumberKey.MobilePhone, '+45 1234');
    const address = new ews.PhysicalAddressEntry();
    address.Street = 'Main St 1';
    address.City = 'Aarhus';
    card.PhysicalAddresses._setItem(ews.PhysicalAddressKey.Business, address);
    await card.Save();
    const got = await ews.Contact.Bind(service, card.Id, whole);
    note('card', [got.GivenName, got.Surname, got.CompanyName, got.EmailAddresses._getItem(ews.EmailAddressKey.EmailAddress1).Address]);
    note('phone', got.PhoneNumbers._getItem(ews.PhoneNumberKey.MobilePhone));
    note('city', got.PhysicalAddresses._getItem(ews.PhysicalAddressKey.Business).City);
    got.Surname = 'Dogwood';
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    note('changed', (await ews.Contact.Bind(service, card.Id, whole)).Surname);
    const names = await service.ResolveName('carl', ews.ResolveNameSearchLocation.ContactsThenDirectory, true);
    note('resolved', names.GetEnumerator().map((one) => one.Mailbox.Address));
    const group = new ews.ContactGroup(service);
    group.DisplayName = 'Team';
    group.Members.AddOneOff('Bob', job.other);
    await group.Save();
    const members = await service.ExpandGroup(group.Id);
    note('group', members.GetEnumerator().map((one) => one.Address));
    await got.Delete(ews.DeleteMode.HardDelete);
    await refused('deleted', () => ews.Contact.Bind(service, card.Id));
  },

  async tasks() {
    const service = connect();
    const task = new ews.Task(service);
    task.Subject = 'dig';
    task.StartDate = new ews.DateTime('2027-03-01T00:00:00Z');
    task.DueDate = new ews.DateTime('2027-03-05T00:00:00Z');
    await task.Save();
    const got = await ews.Task.Bind(service, task.Id, whole);
    note('task', [got.Subject, ews.TaskStatus[got.Status], got.IsComplete, got.PercentComplete]);
    got.PercentComplete = 50;
    got.Status = ews.TaskStatus.InProgress;
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    note('half', (await ews.Task.Bind(service, task.Id, whole)).PercentComplete);
    got.Status = ews.TaskStatus.Completed;
    await got.Update(ews.ConflictResolutionMode.AlwaysOverwrite);
    const done = await ews.Task.Bind(service, task.Id, whole);
    note('complete', [done.IsComplete, done.PercentComplete]);
    await done.Delete(ews.DeleteMode.HardDelete);
    note('left', (await service.FindItems(ews.WellKnownFolderName.Tasks, new ews.ItemView(10))).TotalCount);
  },

  async settings() {
    const service = connect();
    const away = new ews.OofSettings();
    away.State = ews.OofState.Enabled;
    away.ExternalAudience = ews.OofExternalAudience.All;
    away.InternalReply = new ews.OofReply('away');
    away.ExternalReply = new ews.OofReply('gone');
    await service.SetUserOofSettings(job.user, away);
    const got = await service.GetUserOofSettings(job.user);
    note('absence', [ews.OofState[got.State], got.InternalReply.Message]);
    const stored = new ews.UserConfiguration(service);
    stored.Dictionary.Add('key', 'value');
    await stored.Save('settings', inbox);
    const again = await ews.UserConfiguration.Bind(service, 'settings', inbox, ews.UserConfigurationProperties.All);
    note('configuration', again.Dictionary._getItem('key'));
    const rule = new ews.Rule();
    rule.DisplayName = 'sort';
    rule.Priority = 1;
    rule.IsEnabled = true;
    rule.Conditions.ContainsSubjectStrings.Add('sale');
    rule.Actions.MoveToFolder = new ews.FolderId(ews.WellKnownFolderName.JunkEmail);
    await service.UpdateInboxRules([new ews.CreateRuleOperation(rule)], true);
    note('rules', (await service.GetInboxRules()).GetEnumerator().map((one) => one.DisplayName));
    const window = new ews.TimeWindow(new ews.DateTime('2027-03-01T00:00:00Z'), new ews.DateTime('2027-03-02T00:00:00Z'));
    const free = await service.GetUserAvailability([new ews.AttendeeInfo(job.other)], window, ews.AvailabilityData.FreeBusy);
    note('availability', ews.ServiceResult[free.AttendeesAvailability.Responses[0].Result]);
    note('rooms', (await service.GetRoomLists()).GetEnumerator().length);
  },

  async pull() {
    const service = connect();
    const pull = await service.SubscribeToPullNotifications([new ews.FolderId(inbox)], 5, '', ews.EventType.NewMail, ews.EventType.Created);
    const message = new ews.EmailMessage(service);
    message.Subject = 'pulled';
    message.ToRecipients.Add(job.user);
    await message.Send();
    const events = await pull.GetEvents();
    note('events', [...new Set(events.ItemEvents.map((one) => ews.EventType[one.EventType]))].sort());
    await pull.Unsubscribe();
    await refused('after', () => pull.GetEvents());
  },

  async stream() {
    const service = connect();
    const subscription = await service.SubscribeToStreamingNotifications([new ews.FolderId(inbox)], ews.EventType.NewMail, ews.EventType.Created);
    const connection = new ews.StreamingSubscriptionConnection(service, 1);
    connection.AddSubscription(subscription);
    const told = [];
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('nothing came')), 15000);
      connection.OnNotificationEvent.push((_, data) => {
        for (const event of data.Events) told.push(ews.EventType[event.EventType]);
        if (told.includes('NewMail') && told.includes('Created')) {
          clearTimeout(late);
          resolve();
        }
      });
      connection.OnSubscriptionError.push((_, data) => reject(data.Exception || new Error('subscription error')));
      connection.OnDisconnect.push(() => {});
      connection.Open();
      setTimeout(async () => {
        const message = new ews.EmailMessage(service);
        message.Subject = 'streamed';
        message.ToRecipients.Add(job.user);
        await message.Send();
      }, 300);
    });
    note('events', [...new Set(told)].sort());
  },

  async autodiscover() {
    const finder = new ews.AutodiscoverService(new ews.Uri(job.finder), ews.ExchangeVersion.Exchange2013_SP1);
    finder.Credentials = new ews.WebCredentials(job.user, job.secret);
    const found = await finder.GetUserSettings(job.user, [ews.UserSettingName.UserDisplayName, ews.UserSettingName.ExternalEwsUrl]);
    note('settings', [ews.UserSettingName.UserDisplayName, ews.UserSettingName.ExternalEwsUrl].map((name) => found.Settings.get(name)));
    const nobody = await finder.GetUserSettings('nobody@sim.test', [ews.UserSettingName.UserDisplayName]);
    note('nobody', ews.AutodiscoverErrorCode[nobody.ErrorCode]);
  },

  async delegates() {
    const service = connect();
    const own = new ews.Mailbox(job.user);
    const delegate = new ews.DelegateUser(job.other);
    delegate.Permissions.CalendarFolderPermissionLevel = ews.DelegateFolderPermissionLevel.Editor;
    delegate.ReceiveCopiesOfMeetingMessages = true;
    const added = await service.AddDelegates(own, ews.MeetingRequestsDeliveryScope.DelegatesAndMe, [delegate]);
    note('added', added.map((one) => ews.ServiceResult[one.Result]));
    const level = async () => {
      const told = await service.GetDelegates(own, true);
      return [
        ews.MeetingRequestsDeliveryScope[told.MeetingRequestsDeliveryScope],
        told.DelegateUserResponses.map((one) => [one.DelegateUser.UserId.PrimarySmtpAddress, ews.DelegateFolderPermissionLevel[one.DelegateUser.Permissions.CalendarFolderPermissionLevel]]),
      ];
    };
    note('told', await level());
    const shared = new ews.FolderId(ews.WellKnownFolderName.Calendar, own);
    const event = new ews.Appointment(connect(job.other));
    event.Subject = 'by the other';
    event.Start = new ews.DateTime('2027-03-01T09:00:00Z');
    event.End = new ews.DateTime('2027-03-01T10:00:00Z');
    await event.Save(shared, ews.SendInvitationsMode.SendToNone);
    note('seen', (await service.FindItems(ews.WellKnownFolderName.Calendar, new ews.ItemView(5))).Items.map((one) => one.Subject));
    await refused('inbox', () => connect(job.other).FindItems(new ews.FolderId(inbox, own), new ews.ItemView(5)));
    delegate.Permissions.CalendarFolderPermissionLevel = ews.DelegateFolderPermissionLevel.Reviewer;
    await service.UpdateDelegates(own, ews.MeetingRequestsDeliveryScope.DelegatesAndSendInformationToMe, [delegate]);
    note('less', await level());
    await service.RemoveDelegates(own, [new ews.UserId(job.other)]);
    note('left', (await service.GetDelegates(own, true)).DelegateUserResponses.length);
  },

  async impersonation() {
    const service = connect(job.other);
    service.ImpersonatedUserId = new ews.ImpersonatedUserId(ews.ConnectingIdType.SmtpAddress, job.user);
    const message = new ews.EmailMessage(service);
    message.Subject = 'in the name of';
    await message.Save(inbox);
    note('whose', (await connect().FindItems(inbox, new ews.ItemView(5))).Items.map((one) => one.Subject));
    service.ImpersonatedUserId = new ews.ImpersonatedUserId(ews.ConnectingIdType.SmtpAddress, 'nobody@sim.test');
    await refused('nobody', () => service.FindItems(inbox, new ews.ItemView(5)));
  },

  async properties() {
    const service = connect();
    const named = new ews.ExtendedPropertyDefinition(new ews.Guid('7c1e5f6c-7f0c-49f5-8a5e-1c2d8cc9a002'), 'Weight', ews.MapiPropertyType.Integer);
    const tagged = new ews.ExtendedPropertyDefinition(0x1000, ews.MapiPropertyType.String);
    const wanted = new ews.PropertySet(ews.BasePropertySet.IdOnly, [ews.ItemSchema.Subject, named, tagged]);
    const message = new ews.EmailMessage(service);
    message.Subject = 'heavy';
    message.Body = text('the body');
    message.SetExtendedProperty(named, 7);
    await message.Save(inbox);
    const got = await ews.Item.Bind(service, message.Id, wanted);
    note('values', got.ExtendedProperties.Items.map((one) => one.Value));
    const found = await service.FindItems(inbox, new ews.SearchFilter.IsGreaterThan(named, 5), new ews.ItemView(5));
    note('found', found.TotalCount);
    const id = new ews.AlternateId(ews.IdFormat.EwsId, message.Id.UniqueId, job.user);
    const converted = await service.ConvertId(id, ews.IdFormat.HexEntryId);
    note('hexadecimal', /^[0-9A-F]+$/i.test(converted.UniqueId));
    note('back', (await service.ConvertId(converted, ews.IdFormat.EwsId)).UniqueId === message.Id.UniqueId);
  },

  async conversations() {
    const service = connect();
    for (const subject of ['talk', 'RE: talk', 'other']) {
      const message = new ews.EmailMessage(service);
      message.Subject = subject;
      message.ToRecipients.Add(job.user);
      await message.Send();
    }
    const found = await service.FindConversation(new ews.ConversationIndexedItemView(10), new ews.FolderId(inbox));
    note('topics', found.map((one) => one.Topic).sort());
    const talk = found.find((one) => one.Topic === 'talk');
    const shape = new ews.PropertySet(ews.BasePropertySet.IdOnly, [ews.ItemSchema.Subject]);
    const inside = await service.GetConversationItems(talk.Id, shape, null, null, null);
    note('nodes', inside.ConversationNodes.Items.map((one) => one.Items.map((item) => item.Subject)).flat().sort());
  },

  async manyAtOnce() {
    const service = connect();
    const messages = ['one', 'two', 'three'].map((subject) => {
      const message = new ews.EmailMessage(service);
      message.Subject = subject;
      return message;
    });
    const results = (answer) => answer.Responses.map((one) => ews.ServiceResult[one.Result]);
    note('made', results(await service.CreateItems(messages, new ews.FolderId(inbox), ews.MessageDisposition.SaveOnly, null)));
    for (const message of messages) message.Subject += ', changed';
    note('changed', results(await service.UpdateItems(messages, null, ews.ConflictResolutionMode.AlwaysOverwrite, ews.MessageDisposition.SaveOnly, null)));
    const ids = messages.map((one) => one.Id);
    note('copied', results(await service.CopyItems(ids, new ews.FolderId(ews.WellKnownFolderName.Drafts))));
    note('moved', results(await service.MoveItems(ids.slice(0, 2), new ews.FolderId(ews.WellKnownFolderName.JunkEmail))));
    note('gone', results(await service.DeleteItems(ids, ews.DeleteMode.HardDelete, null, null)));
    const count = async (where) => (await service.FindItems(where, new ews.ItemView(9))).TotalCount;
    note('where', [await count(inbox), await count(ews.WellKnownFolderName.Drafts), await count(ews.WellKnownFolderName.JunkEmail)]);
  },

  async people() {
    const service = connect();
    const rooms = (await service.GetRoomLists()).GetEnumerator();
    note('lists', rooms.map((one) => one.Address));
    note('rooms', (await service.GetRooms(rooms[0])).map((one) => one.Address));
    note('group', (await service.ExpandGroup('team@sim.test')).GetEnumerator().map((one) => one.Address));
    await refused('expiration', () => service.GetPasswordExpirationDate(job.user));
    await refused('tags', () => service.GetUserRetentionPolicyTags());
  },
};

// a stream that a scenario leaves open ends with its world, while others are played
process.on('unhandledRejection', () => {});

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    job = JSON.parse(line);
    outcomes = [];
    try {
      await scenarios[job.scenario]();
    } catch (error) {
      note('FAILED', String((error && (error.stack || error.message)) || error));
    }
    process.stdout.write(`${JSON.stringify({ outcomes })}\n`);
  }
  process.exit(0);
})();
