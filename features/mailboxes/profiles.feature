Feature: What an email server profile can say
  One profile is one kind of server for both directions: Exchange, or POP3 and SMTP. Mixing the two, IMAP, old Exchange versions and ways to log in that a
  protocol does not know are refused when the profile is saved, with everything that is wrong named at once. What the deployment forbids is refused, too.

  Background:
    Given an organization "Alder"

  Scenario Outline: What can be saved, and what not
    When a profile is saved for <what>
    Then <outcome>

    Examples:
      | what                                        | outcome                                                                                    |
      | POP3 in and SMTP out                        | it is saved                                                                                |
      | Exchange 2013                               | it is saved                                                                                |
      | Exchange in and SMTP out                    | it is refused because an Exchange profile is for Exchange both ways                        |
      | POP3 in and Exchange out                    | it is refused because a POP3/SMTP profile is for POP3 and SMTP                             |
      | IMAP in                                     | it is refused because IMAP is not supported                                                |
      | Exchange 2007                               | it is refused because Exchange 2003 and 2007 are not supported                             |
      | Exchange Online on another server           | it is refused because an Exchange Online profile cannot point to another server            |
      | POP3 with autodiscover                      | it is refused because only an Exchange server is found by autodiscover                     |
      | POP3 without credentials                    | it is refused because incoming email is not read without credentials                       |
      | SMTP without credentials                    | it is refused because email is not sent without credentials                                |
      | Exchange without credentials                | it is refused because an Exchange profile needs credentials                                |
      | POP3 with integrated Windows authentication | it is refused because integrated Windows authentication is for Exchange and SMTP only      |
      | POP3 with server to server authentication   | it is refused because server to server authentication is for Exchange Online only          |

  Scenario: Everything that is wrong is said at once
    When a profile is saved for IMAP in together with POP3 with integrated Windows authentication
    Then it is refused because IMAP is not supported
    And it is refused because integrated Windows authentication is for Exchange and SMTP only

  Scenario: A change is refused in the same way
    Given an email server profile "Alder mail"
    When the profile "Alder mail" has the incomingcredentialretrieval "4"
    Then it is refused because incoming email is not read without credentials
